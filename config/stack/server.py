"""What the embedded servers have in common: one directory, one loopback port, one password, one child process."""

import secrets
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from config.stack import processes
from config.stack.processes import StackError


class EmbeddedServer(ABC):
    """One server with its data, port and password in one directory; a warm start finds them again.

    With `fsync=False` nothing waits for the disk: quick, and only for tests, since a power cut then loses data.
    """

    name: str
    remedy: str
    stop_signal: int = signal.SIGTERM

    def __init__(self, directory: Path, fsync: bool = True) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / "server.log"
        self.fsync = fsync
        self.port = 0
        self.password = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The address with the password; known after `prepare`."""

    @property
    def way(self) -> str:
        """How root is given up (see child.py)."""
        return "keep"

    @abstractmethod
    def command(self) -> list[str]:
        """The command line of the server; call `prepare` first."""

    @abstractmethod
    def clear_leftovers(self) -> None:
        """Stop a server on this data that outlived its supervisor, and clear what a crash left."""

    def make_data(self) -> None:
        """Make the data on the first start."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server takes work now."""

    def prepare(self) -> None:
        """Make everything ready for `command`: data, port, password; raises StackError."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.password = self._remembered_password()
        self.make_data()
        self.clear_leftovers()
        self.port = processes.choose_port(self.directory / "port")

    def start(self) -> str:
        """Start the server and return its address once it takes work; raises StackError with the reason."""
        for _ in range(5):  # another program may take the port between the choice and the start
            self.prepare()
            command = processes.tied(self.command(), on_death=self.stop_signal, way=self.way)
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
                )
            if self.wait_ready(lambda: self._process is not None and self._process.poll() is None):
                return self.url
            self.stop()
        raise StackError(
            f"{self.name} does not start; the end of {self.log}:\n{processes.tail(self.log)}\n{self.remedy}"
        )

    def wait_ready(self, runs: Callable[[], bool], timeout: float = 30.0) -> bool:
        """Wait until the server takes work; False when `runs` says that it ended before."""
        end = time.monotonic() + timeout
        while runs() and time.monotonic() < end:
            if self._answers() and runs():
                return True
            time.sleep(0.03)
        return False

    def stop(self) -> None:
        """Stop the server that `start` started; safe to call twice."""
        if self._process:
            processes.stop_child(self._process, first=self.stop_signal)
            self._process = None

    def kill(self) -> None:
        """End the server like a power cut (for tests of recovery)."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _remembered_password(self) -> str:
        path = self.directory / "password"
        if not path.exists():
            processes.write_private(path, secrets.token_urlsafe(24))
        return path.read_text(encoding="ascii").strip()
