"""Runs one command to its end and writes down how it ended: a program of its own that outlives whoever started it.

`python -m promotions.deployers.runner DIRECTORY`, where runs.py has put `job.json` and `input`. The first runner to create
`started` runs the command, any other one leaves; so a command is started at most once, whatever crashes. While it runs,
its runner holds `lock`; how it ended is in `result.json`, whole or not at all. A file `cancel` stops it. Only the standard
library is used, so that it starts fast.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from promotions.deployers import trees

MAX_OUTPUT = 64 * 1024 * 1024
TICK = 0.1


class Runner:
    """One run of a command."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.job: dict[str, Any] = json.loads((directory / "job.json").read_text(encoding="utf-8"))
        self.child = 0
        self.code: int | None = None
        self.terminated = False
        self.written = 0
        self.reading = -1
        self.output: IO[bytes] | None = None

    def run(self) -> dict[str, Any]:
        """Start the command, wait for its end or for a reason to end it, leave nothing of it behind."""
        trees.adopt_orphans()
        self.deadline = time.monotonic() + self.job["time_limit"]
        if (self.directory / "cancel").exists():
            return {"outcome": "canceled", "error": "Stopped before it was started."}
        with (self.directory / "output").open("ab", buffering=0) as self.output:
            try:
                self.start()
            except OSError as error:
                return {"outcome": "failed", "error": f"{self.job['command'][0]} cannot be started: {error.strerror}."}
            ended_early = self.wait()
            clean = trees.stop(self.remains, grace=self.job["grace"], between=self.tend)
            self.tend()
        os.close(self.reading) if self.reading >= 0 else None
        result = ended_early or self.judge()
        return result if clean else result | {"error": f"{result['error']} Some of its processes could not be stopped."}

    def start(self) -> None:
        self.reading, writing = os.pipe()
        os.set_blocking(self.reading, False)
        try:
            with (self.directory / "input").open("rb") as given:
                process = subprocess.Popen(
                    self.job["command"],
                    cwd=self.job["directory"],
                    env=self.job["environment"],
                    stdin=given,
                    stdout=writing,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        finally:
            os.close(writing)
        self.child = process.pid
        process.returncode = 0  # we collect it ourselves, together with the orphans

    def wait(self) -> dict[str, Any] | None:
        """Until the command has ended: None; or the result when something else ends it first."""
        while True:
            self.pump(TICK)
            self.collect()
            if self.code is not None:
                return None
            if (self.directory / "cancel").exists():
                return {"outcome": "canceled", "error": "It was stopped."}
            if self.terminated:
                return {"outcome": "failed", "error": "Its runner was told to end; does the machine shut down?"}
            if time.monotonic() > self.deadline:
                limit = self.job["time_limit"]
                return {"outcome": "failed", "error": f"It took longer than its time limit of {limit} s."}

    def judge(self) -> dict[str, Any]:
        assert self.code is not None
        if self.code == 0:
            return {"outcome": "succeeded", "code": 0, "error": ""}
        how = f"Exit code {self.code}."
        if self.code < 0:
            how = f"Ended by signal {-self.code} ({signal.Signals(-self.code).name})."
        return {"outcome": "failed", "code": self.code, "error": how}

    def remains(self) -> set[int]:
        return trees.descendants(os.getpid(), self.child)

    def tend(self) -> None:
        self.pump(0)
        self.collect()

    def collect(self) -> None:
        """Take note of everything that has ended: the command, and orphans that became ours."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.child:
                    self.code = os.waitstatus_to_exitcode(status)

    def pump(self, patience: float) -> None:
        """Move what the command printed into the file; returns after `patience` seconds at the latest."""
        if self.reading < 0:
            time.sleep(patience)
            return
        if not select.select([self.reading], [], [], patience)[0]:
            return
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):  # a flood must not keep us from looking at the clock
                chunk = os.read(self.reading, 65536)
                if not chunk:
                    os.close(self.reading)
                    self.reading = -1
                    return
                self.keep(chunk)

    def keep(self, chunk: bytes) -> None:
        if self.written >= MAX_OUTPUT or self.output is None:
            return
        self.written += len(chunk)
        if self.written >= MAX_OUTPUT:
            chunk += b"\n[The output is too long; the rest is left out.]\n"
        with contextlib.suppress(OSError):  # a full disk must not end a deployment half way
            self.output.write(chunk)


def write_whole(path: Path, value: dict[str, Any]) -> None:
    """Write JSON so that a reader sees all of it or nothing, also after a power cut."""
    fresh = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def is_first(directory: Path) -> bool:
    """Take the only permission to run; it is never given back."""
    try:
        os.close(os.open(directory / "started", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True


def take_lock(directory: Path) -> IO[bytes] | None:
    """The sign of life that lookers look for, held until this process ends; None when another runner has it."""
    file = (directory / "lock").open("ab")
    for _ in range(20):  # someone may be looking just now
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05)
        else:
            return file
    file.close()
    return None


def main(directory: Path) -> None:
    """Run the job of this directory unless it has been run; the process that was started returns at once."""
    if os.fork():
        os._exit(0)
    lock = take_lock(directory)
    if lock is None or not is_first(directory):
        return
    runner = Runner(directory)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: setattr(runner, "terminated", True))
    result = runner.run()
    for _ in range(30):
        with contextlib.suppress(OSError):  # a full disk: perhaps not for long
            write_whole(directory / "result.json", result)
            break
        time.sleep(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
