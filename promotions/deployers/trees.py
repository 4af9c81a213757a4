"""Finds and stops whole trees of processes, also children that changed their session. Needs nothing but Python."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

LINUX = sys.platform.startswith("linux")
PROC = Path("/proc")
PR_SET_CHILD_SUBREAPER = 36

Finder = Callable[[], Collection[int]]


def adopt_orphans() -> None:
    """From now on processes below this one whose parent ends become its children, so that none gets out of sight."""
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(root: int, group: int = 0) -> set[int]:
    """The processes below `root`, and the members of the process group `group`; finished ones do not count."""
    table = _table()
    found = {pid for pid, (_, its_group) in table.items() if group and its_group == group}
    fresh = {root} | found
    while fresh:
        fresh = {pid for pid, (parent, _) in table.items() if parent in fresh} - found
        found |= fresh
    return found - {root, os.getpid()}


def marked(mark: str) -> set[int]:
    """The processes that have `mark` (NAME=value) in the environment they were started with; Linux only."""
    wanted, found = mark.encode(), set()
    for entry in PROC.glob("[0-9]*") if LINUX else ():
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.add(int(entry.name))
    return found - {os.getpid()}


def stop(find: Finder, *, grace: float, between: Callable[[], object] = lambda: None) -> bool:
    """SIGTERM to all that `find` finds, SIGKILL after `grace` seconds until nothing is found; whether that worked.

    `between` is called between two looks, for reading output and collecting what has ended.
    """
    _send(find(), signal.SIGTERM)
    if _gone(find, grace, between):
        return True
    end = time.monotonic() + 10
    while time.monotonic() < end:
        _send(find(), signal.SIGKILL)
        if _gone(find, 0.1, between):
            return True
    return False


def _gone(find: Finder, patience: float, between: Callable[[], object]) -> bool:
    end = time.monotonic() + patience
    while True:
        between()
        if not find():
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.02)


def _send(pids: Collection[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _table() -> dict[int, tuple[int, int]]:
    """Parent and process group of every living process."""
    if not LINUX:
        return _table_of_ps()
    table = {}
    for entry in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, parent, group = (entry / "stat").read_text(errors="replace").rpartition(") ")[2].split()[:3]
            if state not in "ZX":
                table[int(entry.name)] = (int(parent), int(group))
    return table


def _table_of_ps() -> dict[int, tuple[int, int]]:
    columns = ["ps", "-axo", "pid=,ppid=,pgid=,state="]
    lines = subprocess.run(columns, capture_output=True, text=True, check=False).stdout.splitlines()
    rows = [line.split() for line in lines]
    return {int(pid): (int(parent), int(group)) for pid, parent, group, state in rows if not state.startswith("Z")}
