"""Commands that run on this machine beside us, one folder each: begin once, look, stop. What runner.py does, from outside."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promotions.deployers import trees
from promotions.deployers.base import DeployerError, Progress
from promotions.deployers.runner import write_whole

PROJECT = Path(__file__).resolve().parents[2]
MAX_READ = 512 * 1024
MAX_ANSWER = 64 * 1024
LAST_LINES = 12
KEPT_FOR = 7 * 24 * 3600
START_PATIENCE = 10.0
# What a command inherits of our environment: enough to find programs, and none of our secrets.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SYSTEMROOT")
MARK = "STAGEPASS_NONCE"
# Their output is read by people, while it comes.
DEFAULTS = {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "TERM": "dumb"}


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: arguments, variables beside the inherited ones, working directory (default: an empty one), input."""

    arguments: list[str]
    environment: dict[str, str]
    given: dict[str, Any]
    directory: Path | None = None
    time_limit: float = 1800
    grace: float = 5.0


class Runs:
    """The runs kept in one directory; each has a folder named by its nonce."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory).absolute()

    def begin(self, nonce: str, command: Command) -> None:
        """Run the command beside us, unless this nonce was begun before; DeployerError when nothing is known to run."""
        place = self.directory / nonce
        if (place / "started").exists():
            return
        try:
            self._prepare(place, nonce, command)
            self._start_runner(place)
        except (OSError, subprocess.SubprocessError) as error:
            raise DeployerError(f"The run could not be started: {error}.") from error
        end = time.monotonic() + START_PATIENCE
        while not (place / "started").exists():
            if time.monotonic() > end:
                raise DeployerError(
                    f"The runner did not start within {START_PATIENCE:.0f} s: {_tail(place / 'runner')}"
                )
            time.sleep(0.01)

    def _prepare(self, place: Path, nonce: str, command: Command) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._forget_old_runs()
        (place / "work").mkdir(parents=True, exist_ok=True, mode=0o700)
        place.chmod(0o700)
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = {MARK: nonce, "STAGEPASS_RESULT": str(place / "answer.json")}
        write_whole(place / "input", command.given)
        write_whole(
            place / "job.json",
            {
                "command": command.arguments,
                "environment": DEFAULTS | inherited | command.environment | own,
                "directory": str(command.directory or place / "work"),
                "time_limit": command.time_limit,
                "grace": command.grace,
            },
        )

    @staticmethod
    def _start_runner(place: Path) -> None:
        """Start a runner in a session of its own; it forks, so that it is nobody's child and outlives us."""
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with (place / "runner").open("ab") as log:
            subprocess.run(
                [sys.executable, "-S", "-m", "promotions.deployers.runner", str(place)],
                env=environment | {"PYTHONPATH": str(PROJECT)},
                cwd=place,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=True,
                timeout=START_PATIENCE,
            )

    def _forget_old_runs(self) -> None:
        """Remove what ended long ago; its output is in the database."""
        for result in self.directory.glob("*/result.json"):
            if time.time() - result.stat().st_mtime > KEPT_FOR:
                shutil.rmtree(result.parent, ignore_errors=True)

    def look(self, nonce: str, offset: int) -> Progress:
        """How a run stands, with its output since `offset`."""
        place = self.directory / nonce
        if not (place / "started").exists():
            return Progress("failed", log_offset=offset, error=f"Lost: the record of this run is gone from {place}.")
        result = self._result(place)
        if result is None and not _is_held(place / "lock"):
            result = self._result(place) or self._lost(place)  # it may have ended between the two looks
        output = place / "output"
        log, offset = _read_on(output, offset, ended=result is not None)
        if result is None:
            return Progress("running", log, offset)
        answer = _answer(place, result)
        return Progress(result["outcome"], log, offset, error=_explain(result, answer, output), result=answer)

    @staticmethod
    def _result(place: Path) -> dict[str, Any] | None:
        try:
            result: dict[str, Any] = json.loads((place / "result.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return result

    @staticmethod
    def _lost(place: Path) -> dict[str, Any]:
        """The runner was killed: stop what it left running, for nobody can tell how that will end."""
        trees.stop(lambda: trees.marked(f"{MARK}={place.name}"), grace=1.0)
        return {"outcome": "failed", "error": "Lost: its runner died before it could tell how the command ended."}

    def prevent(self, nonce: str) -> bool:
        """Whether the run had not begun, and now never will."""
        self.stop(nonce)
        return not (self.directory / nonce / "started").exists()

    def stop(self, nonce: str) -> None:
        """Ask the run to stop, also one that has not begun; `look` tells when it has."""
        place = self.directory / nonce
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            (place / "cancel").touch()
        except OSError as error:
            raise DeployerError(f"The run could not be told to stop: {error}.") from error


def _is_held(lock: Path) -> bool:
    """Whether a runner lives: the kernel frees its lock when it ends, however it ends."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _read_on(path: Path, offset: int, *, ended: bool) -> tuple[str, int]:
    """Text since `offset` and where it ends; of a flood only the newest part, and no character is cut in two."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(offset, size - MAX_READ)
            file.seek(start)
            data = file.read(MAX_READ)
    except FileNotFoundError:
        return "", offset
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=ended)
    skipped = f"\n[{start - offset} bytes are left out here.]\n" if start > offset else ""
    return skipped + text, start + len(data) - len(decoder.getstate()[0])


def _explain(result: dict[str, Any], answer: dict[str, Any], output: Path) -> str:
    """How it ended, in the command's own words if it has any."""
    how = str(result["error"])
    if result["outcome"] != "failed":
        return how
    if isinstance(said := answer.get("error"), str) and said:
        return f"{said[:2000]} ({how.rstrip('.')})"
    last = _tail(output)
    return f"{how} Its last lines:\n{last}" if last else how


def _tail(path: Path) -> str:
    text, _ = _read_on(path, 0, ended=True)
    return "\n".join(text.splitlines()[-LAST_LINES:])[-2000:]


def _answer(place: Path, result: dict[str, Any]) -> dict[str, Any]:
    """What the command wrote to STAGEPASS_RESULT, if that is a small JSON object, with its exit code."""
    code = {"exitCode": result["code"]} if "code" in result else {}
    try:
        with (place / "answer.json").open("rb") as file:
            answer = json.loads(file.read(MAX_ANSWER + 1))
    except (OSError, ValueError, RecursionError):
        return code
    return (answer if isinstance(answer, dict) else {}) | code
