"""`stamp` as processes of its own, and a developer's git."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PERSON = ["-c", "user.name=Dev", "-c", "user.email=dev@example.com", "-c", "commit.gpgsign=false"]
PATIENCE = 60


def command(*words: str) -> list[str]:
    """`stamp` from the checkout."""
    return [sys.executable, str(ROOT / "iep" / "stamp"), *words]


def git(place: Path, *words: str) -> str:
    done = subprocess.run(["git", *PERSON, "-C", str(place), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_clone(place: Path, remote: Path) -> None:
    """Turn a folder into a clone whose remote's default branch is called trunk."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "trunk", str(remote)], check=True)
    git(place, "init", "-q", "-b", "trunk")
    git(place, "add", ".")
    git(place, "commit", "-qm", "Begin")
    git(place, "remote", "add", "origin", str(remote))
    git(place, "push", "-q", "origin", "trunk")
    git(place, "remote", "set-head", "origin", "trunk")


class Watching:
    """A running watch and the lines that it says."""

    def __init__(
        self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, program: Sequence[str] = ()
    ) -> None:
        self.process = subprocess.Popen(
            [*(program or command()), *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
            env=env or os.environ.copy(),
        )  # fmt: skip
        self.said: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.said.put(json.loads(line))

    def next(self, event: str) -> dict[str, Any]:
        """The next line of this kind."""
        while True:
            try:
                line = self.said.get(timeout=PATIENCE)
            except queue.Empty:
                self.process.kill()
                raise AssertionError(f"no {event}: {self.process.stderr.read()}") from None
            assert line.get("ok", True), line
            if line.get("event") == event:
                return line

    def until(self, *wanted: str) -> list[dict[str, Any]]:
        """Stamps until each of these paths was in one: a rename may come in two batches."""
        left, stamps = set(wanted), []
        while left:
            stamps.append(self.next("stamped"))
            left -= set(stamps[-1]["paths"])
        return stamps

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
