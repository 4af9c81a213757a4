"""`stamp TKT-1 --update` as a process: it stamps, watches, survives an absent server, and ends at Ctrl-C."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.iep.stamp.conftest import command


class Watching:
    """A running watch and the lines that it says."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            command(*words, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy()
        )
        self.said: queue.Queue[dict] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.said.put(json.loads(line))

    def next(self, event: str) -> dict:
        """The next line of this kind."""
        while True:
            try:
                line = self.said.get(timeout=30)
            except queue.Empty:
                self.process.kill()
                raise AssertionError(f"no {event}: {self.process.stderr.read()}") from None
            if line.get("event") == event:
                return line


@pytest.fixture
def watching(logged_in) -> Iterator[Watching]:
    running = Watching("TKT-1", "--update")
    yield running
    running.process.kill()
    running.process.wait()


def paths_until(watching: Watching, *wanted: str) -> list[dict]:
    """Stamps until each of these paths was in one: a rename may come in two batches."""
    left, stamps = set(wanted), []
    while left:
        stamps.append(watching.next("stamped"))
        left -= set(stamps[-1]["paths"])
    return stamps


def test_it_stamps_the_tree_and_then_each_change(watching, logged_in, folder):
    assert watching.next("begun")["stamp"]["changed"] == ["src/cart/cart.js", "src/main.js"]

    (folder / "src" / "main.js").write_text("changed\n")
    paths_until(watching, "src/main.js")
    assert logged_in.blobs[logged_in.files("TKT-1")["src/main.js"]] == b"changed\n"

    (folder / "src" / "more").mkdir()
    (folder / "src" / "more" / "new.js").write_text("new\n")
    paths_until(watching, "src/more/new.js")

    fresh = folder / "src" / ".main.js.tmp"  # as editors save: beside it, then renamed over it
    fresh.write_text("renamed\n")
    fresh.replace(folder / "src" / "main.js")
    paths_until(watching, "src/main.js")
    assert logged_in.blobs[logged_in.files("TKT-1")["src/main.js"]] == b"renamed\n"

    (folder / "src" / "cart" / "cart.js").rename(folder / "src" / "cart" / "basket.js")
    paths_until(watching, "src/cart/cart.js", "src/cart/basket.js")
    assert logged_in.files("TKT-1")["src/cart/cart.js"] is None


def test_what_was_saved_while_the_server_was_away_arrives_when_it_is_back(watching, logged_in, folder):
    watching.next("begun")
    logged_in.misbehave(*["ignore"] * 6)
    (folder / "src" / "main.js").write_text("in the dark\n")
    watching.next("waiting")
    paths_until(watching, "src/main.js")
    assert logged_in.blobs[logged_in.files("TKT-1")["src/main.js"]] == b"in the dark\n"


def test_ctrl_c_ends_it(watching):
    watching.next("begun")
    watching.process.send_signal(signal.SIGINT)
    assert watching.process.wait(30) == 130


def test_the_import_map_at_the_root_is_watched_too(logged_in, folder):
    (folder / "importmap.json").write_text("{}")
    running = Watching("TKT-1", "--update")
    try:
        running.next("begun")
        (folder / "importmap.json").write_text('{"imports": {}}')
        paths_until(running, "importmap.json")
    finally:
        running.process.kill()
        running.process.wait()
