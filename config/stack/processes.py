"""Small tools for processes and ports: tie a command to this process, look at a process by id, stop it, find a port."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")
# Ports from 32768 on are handed out to clients by the kernel: a fixed one there is taken sooner or later.
PORTS = range(20_000, 32_000)


class StackError(Exception):
    """Something cannot be started; the message says what to do about it."""


def tied(command: Sequence[str], *, on_death: int = signal.SIGTERM, way: str = "keep") -> list[str]:
    """The command, wrapped so that it gets `on_death` when this process ends by whatever means (Linux).

    The kernel watches the *thread* that starts it: start it from the main thread.
    """
    return [sys.executable, "-I", "-S", str(CHILD), str(int(on_death)), str(os.getpid()), way, *command]


def alive(pid: int) -> bool:
    """Whether a process with this id runs (a finished one that nobody has waited for does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return state_of(pid) != "Z"


def state_of(pid: int) -> str:
    """The one-letter state of a process, empty where /proc does not tell."""
    fields = _stat(pid)
    return fields[0] if fields else ""


def birth_of(pid: int) -> str:
    """A text that tells this process from a later one with the same id; empty when there is none."""
    fields = _stat(pid)
    if fields:
        return fields[19]
    return _ps(pid, "lstart=")


def command_of(pid: int) -> str:
    """The command line of a process, empty when there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return _ps(pid, "command=")


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(") ")[2].split()


def _ps(pid: int, column: str) -> str:
    if sys.platform.startswith("linux"):
        return ""
    result = subprocess.run(["ps", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False)
    return result.stdout.strip()


def send(pid: int, number: int, *, group: bool = False) -> None:
    """Send a signal to a process or its group; one that has ended is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, number)


def stop_stranger(pid: int, *, first: int = signal.SIGTERM, patience: float = 5.0) -> None:
    """Stop a process that is not our child: `first`, then, out of patience, SIGKILL; returns when it is gone."""
    send(pid, first)
    if not wait_until(lambda: not alive(pid), timeout=patience):
        send(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), timeout=5)


def stop_child(process: "subprocess.Popen[bytes]", *, first: int = signal.SIGTERM, patience: float = 10.0) -> None:
    """Stop a child of ours: `first`, then, out of patience, SIGKILL to its whole group."""
    if process.poll() is None:
        send(process.pid, first)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            send(process.pid, signal.SIGKILL, group=True)
            process.wait(10)


def wait_until(condition: Callable[[], bool], *, timeout: float, every: float = 0.02) -> bool:
    """Whether the condition became true within `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server may listen on this port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_port(remembered: Path | None = None) -> int:
    """A free loopback port below the kernel's own range; the one in the file `remembered` if it is still free."""
    if remembered and remembered.exists():
        text = remembered.read_text(encoding="ascii").strip()
        if text.isdigit() and port_is_free(int(text)):
            return int(text)
    port = next((p for p in random.sample(PORTS, 200) if port_is_free(p)), None)
    if port is None:
        raise StackError("No free port found on 127.0.0.1 between 20000 and 32000.")
    if remembered:
        remembered.write_text(f"{port}\n", encoding="ascii")
    return port


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a file, empty when it does not exist."""
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
