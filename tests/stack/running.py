"""The whole system as script/up starts it, in a state directory of a test's own."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from config.stack import processes

ROOT = Path(__file__).parents[2]


class Up:
    """A `python -m config.stack up` in a state directory, with nothing set that a newcomer would not have."""

    def __init__(self, state: Path, *options: str, **variables: str) -> None:
        self.state, self.options, self.variables = state, options, variables
        self.port, self.grpc_port = processes.choose_port(), processes.choose_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        return (self.state.parent / "output").read_text()

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "config.stack", *words, "--state", str(self.state)]

    def start(self, patience: float = 90) -> float:
        """Start, wait for the summary; the seconds it took. What takes too long does not go on beside other tests."""
        begun = time.monotonic()
        options = ["--port", str(self.port), "--grpc-port", str(self.grpc_port), *self.options]
        with (self.state.parent / "output").open("wb") as output:
            self.process = subprocess.Popen(
                self.command("up", *options),
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=newcomer() | self.variables,
                start_new_session=True,
            )
        if not processes.wait_until(lambda: "Stop:" in self.output or self.ended(), timeout=patience):
            self.stop()
            raise AssertionError(f"not ready after {patience:.0f} s:\n{self.output}")
        assert not self.ended(), self.output
        return time.monotonic() - begun

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def stop(self, number: int = signal.SIGINT) -> int:
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(60)

    def pids(self) -> dict[str, int]:
        return {row["name"]: row["pid"] for row in json.loads((self.state / "run" / "processes.json").read_text())}

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def newcomer() -> dict[str, str]:
    known = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER")
    return {name: value for name, value in os.environ.items() if name in known}


def listed(state: Path) -> list[str]:
    """Processes on this machine that were started for this state directory and still run."""
    rows = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [row for row in rows if str(state) in row and str(os.getpid()) not in row.split()[:1]]
