"""Named places where a test may kill the process, as a crash would; nothing at all happens unless a test asks for it."""

from __future__ import annotations

import os
import pathlib
import signal

# FAILPOINT=name:kill kills every time. FAILPOINTS names a folder: a file called like the place kills whoever gets there
# first, once, so that one running system can be killed at one place after another.
_always = os.environ.get("FAILPOINT", "").partition(":")[0]
_folder = os.environ.get("FAILPOINTS", "")


def failpoint(name: str) -> None:
    """Die here by SIGKILL when a test armed this place."""
    if (_always and _always == name) or (_folder and _disarm(name)):
        os.kill(os.getpid(), signal.SIGKILL)


def _disarm(name: str) -> bool:
    try:
        pathlib.Path(_folder, name).unlink()
    except FileNotFoundError:
        return False
    return True
