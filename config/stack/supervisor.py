"""Keeps named processes running: logs to files, restarts what dies, stops in order, leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.stack import processes
from config.stack.processes import StackError

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0  # seconds before a restart, doubled each time
CALM = 30.0  # seconds after which a restarted process counts as healthy
LOG_LIMIT = 20_000_000  # bytes
NOTEWORTHY = re.compile(r'\b(ERROR|CRITICAL)\b|"level": ?"(error|critical)"|^\w*(Error|Exception)\b')


@dataclass(frozen=True)
class Program:
    """One process to keep running. `stage` orders the stop: the highest is stopped first, all of a stage together."""

    name: str
    command: Callable[[], Sequence[str]]
    stage: int
    stop_signal: int = signal.SIGTERM
    patience: float = 10.0
    way: str = "keep"  # how root is given up (see child.py)


@dataclass
class Running:
    """What the supervisor knows about a program: its process, or when to start it again."""

    program: Program
    process: "subprocess.Popen[bytes] | None" = None
    birth: str = ""
    started: float = 0.0
    pause: float = FIRST_PAUSE
    next_start: float = 0.0
    read_up_to: int = 0


class Interrupted(Exception):
    """Somebody asked for a stop while the system was still being started."""


class Supervisor:
    """Starts, watches and stops programs. Use it from the main thread only (see `processes.tied`)."""

    def __init__(self, state: Path, *, directory: Path, say: Callable[[str], None] = print) -> None:
        self.logs = state / "log"
        self.list = state / "run" / "processes.json"
        self.directory = directory
        self.say = say
        self.running: dict[str, Running] = {}
        self.stop_requests = 0
        self.logs.mkdir(parents=True, exist_ok=True)
        self.list.parent.mkdir(parents=True, exist_ok=True)

    def listen(self) -> None:
        """Take Ctrl-C, SIGTERM and a closed terminal as the wish to stop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note_stop)

    def _note_stop(self, *_: object) -> None:
        self.stop_requests += 1

    def check(self) -> None:
        """Raise Interrupted once a stop is wished for."""
        if self.stop_requests:
            raise Interrupted

    # Starting

    def start(self, program: Program) -> None:
        """Start a program and keep it running from now on."""
        self.check()
        self.running[program.name] = Running(program)
        self._spawn(self.running[program.name])

    def ended(self) -> list[str]:
        """The names of the programs whose process has ended; raises Interrupted when a stop is wished for."""
        self.check()
        return [name for name, entry in self.running.items() if not entry.process or has_ended(entry.process.pid)]

    def run_once(self, program: Program, *, timeout: float = 600) -> None:
        """Run a program to its end; raises StackError with the end of its log when it fails."""
        self.check()
        entry = Running(program)
        self.running[program.name] = entry
        self._spawn(entry)
        process = entry.process
        assert process
        done = processes.wait_until(lambda: bool(self.stop_requests) or process.poll() is not None, timeout=timeout)
        self.check()
        code = process.poll()
        if not done or code != 0:
            self._end([entry])
            raise StackError(
                f"{program.name} {describe(code) if done else f'did not end in {timeout:.0f} s'}; "
                f"the end of {self.log_of(program.name)}:\n{self.tail(program.name)}"
            )
        del self.running[program.name]
        self._write_list()

    def _spawn(self, entry: Running) -> None:
        program, path = entry.program, self.log_of(entry.program.name)
        rotate(path)
        with path.open("ab") as log:
            entry.read_up_to = log.tell()
            entry.process = subprocess.Popen(
                processes.tied(program.command(), on_death=program.stop_signal, way=program.way),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                process_group=0,
            )
        entry.birth, entry.started = processes.birth_of(entry.process.pid), time.monotonic()
        self._write_list()

    # Watching

    def watch(self) -> None:
        """Restart what dies and show errors from the logs, until a stop is wished for."""
        while not self.stop_requests:
            for entry in self.running.values():
                self._look_after(entry)
            time.sleep(0.2)

    def _look_after(self, entry: Running) -> None:
        if entry.process is None:
            if time.monotonic() >= entry.next_start:
                self._restart(entry)
            return
        self._show_errors(entry)
        if not has_ended(entry.process.pid):
            rotate(self.log_of(entry.program.name))
            return
        self._note_death(entry)

    def _note_death(self, entry: Running) -> None:
        name, process = entry.program.name, entry.process
        assert process
        processes.send(process.pid, signal.SIGKILL, group=True)  # its own children, before its id is free again
        code = process.wait()
        if time.monotonic() - entry.started > CALM:
            entry.pause = FIRST_PAUSE
        self.say(f"{name} {describe(code)}; starting it again in {entry.pause:.1f} s")
        if code > 0:  # a killed process had no time to say why
            for line in self.tail(name, 5 if entry.pause == FIRST_PAUSE else 1).splitlines():
                self.say(f"  {name} | {line}")
        entry.process, entry.next_start = None, time.monotonic() + entry.pause
        entry.pause = min(entry.pause * 2, LONGEST_PAUSE)
        self._write_list()

    def _restart(self, entry: Running) -> None:
        try:
            self._spawn(entry)
        except (StackError, OSError) as error:
            self.say(f"{entry.program.name} cannot be started: {error}; trying again in {entry.pause:.1f} s")
            entry.next_start = time.monotonic() + entry.pause
            entry.pause = min(entry.pause * 2, LONGEST_PAUSE)
        else:
            self.say(f"{entry.program.name} runs again")

    def _show_errors(self, entry: Running) -> None:
        """Show new lines of the log that speak of an error, a few at a time."""
        path = self.log_of(entry.program.name)
        size = path.stat().st_size if path.exists() else 0
        if size <= entry.read_up_to:
            entry.read_up_to = size
            return
        with path.open("rb") as log:
            log.seek(max(entry.read_up_to, size - 65_536))
            text = log.read(size - log.tell()).decode("utf-8", errors="replace")
        entry.read_up_to = size
        for line in [line for line in text.splitlines() if NOTEWORTHY.search(line)][:3]:
            self.say(f"  {entry.program.name} | {line[:300]}")

    # Stopping

    def stop(self) -> None:
        """Stop everything, stage by stage, the highest first; a further Ctrl-C makes it impatient."""
        for stage in sorted({entry.program.stage for entry in self.running.values()}, reverse=True):
            self._end([entry for entry in self.running.values() if entry.program.stage == stage])
        self.running.clear()
        self._write_list()

    def _end(self, entries: Iterable[Running]) -> None:
        left = [entry for entry in entries if entry.process]
        requests, begun = self.stop_requests, time.monotonic()
        for entry in left:
            processes.send(_pid(entry), entry.program.stop_signal)
        while left:
            waited = time.monotonic() - begun
            for entry in list(left):
                impatient = waited > entry.program.patience or self.stop_requests > requests
                if has_ended(_pid(entry)) or impatient:
                    processes.send(_pid(entry), signal.SIGKILL, group=True)
                    self._reap(entry, late=impatient)
                    left.remove(entry)
            time.sleep(0.02)

    def _reap(self, entry: Running, *, late: bool) -> None:
        assert entry.process
        entry.process.wait()
        entry.process = None
        if late:
            self.say(f"{entry.program.name} did not stop in time and was killed")

    # What a crash of the supervisor left

    def _write_list(self) -> None:
        entries = [e for e in self.running.values() if e.process]
        rows = [{"name": e.program.name, "pid": _pid(e), "birth": e.birth, "stage": e.program.stage} for e in entries]
        processes.write_private(self.list, json.dumps(rows, indent=1) + "\n")

    def clear_leftovers(self) -> None:
        """Stop what an earlier supervisor left running when it was killed."""
        try:
            rows = json.loads(self.list.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for row in sorted(rows, key=lambda row: -int(row["stage"])):
            if row["birth"] and processes.birth_of(row["pid"]) == row["birth"]:
                processes.stop_stranger(row["pid"], patience=3)
                processes.send(row["pid"], signal.SIGKILL, group=True)
                self.say(f"Stopped {row['name']} (process {row['pid']}), left by an earlier start")
        self._write_list()

    def log_of(self, name: str) -> Path:
        """The log file of a program."""
        return self.logs / f"{name}.log"

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a program's log."""
        return processes.tail(self.log_of(name), lines)


def _pid(entry: Running) -> int:
    assert entry.process
    return entry.process.pid


def has_ended(pid: int) -> bool:
    """Whether a child has ended, without freeing its id, so that its group can still be swept."""
    if not hasattr(os, "waitid"):
        return not processes.alive(pid)
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # waited for already
        return True


def describe(code: int | None) -> str:
    """An exit code in words."""
    if code is not None and code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended with exit code {code}"


def rotate(path: Path) -> None:
    """Move a log that has grown large aside; its writers append, so they go on in the emptied file."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.with_suffix(".log.1").write_bytes(path.read_bytes())
        os.truncate(path, 0)
