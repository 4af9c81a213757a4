"""`stamp TKT-1 --update` as a process: it stamps, watches, survives an absent server, and ends at Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.iep.stamp.running import Watching


@pytest.fixture
def watching(logged_in) -> Iterator[Watching]:
    running = Watching("TKT-1", "--update")
    yield running
    running.end()


def test_it_stamps_the_tree_and_then_each_change(watching, logged_in, folder):
    assert watching.next("begun")["stamp"]["changed"] == ["src/cart/cart.js", "src/main.js"]

    (folder / "src" / "main.js").write_text("changed\n")
    watching.until("src/main.js")
    assert logged_in.blobs[logged_in.files("TKT-1")["src/main.js"]] == b"changed\n"

    (folder / "src" / "more").mkdir()
    (folder / "src" / "more" / "new.js").write_text("new\n")
    watching.until("src/more/new.js")

    fresh = folder / "src" / ".main.js.tmp"  # as editors save: beside it, then renamed over it
    fresh.write_text("renamed\n")
    fresh.replace(folder / "src" / "main.js")
    watching.until("src/main.js")
    assert logged_in.blobs[logged_in.files("TKT-1")["src/main.js"]] == b"renamed\n"

    (folder / "src" / "cart" / "cart.js").rename(folder / "src" / "cart" / "basket.js")
    watching.until("src/cart/cart.js", "src/cart/basket.js")
    assert logged_in.files("TKT-1")["src/cart/cart.js"] is None


def test_what_was_saved_while_the_server_was_away_arrives_when_it_is_back(watching, logged_in, folder):
    watching.next("begun")
    logged_in.misbehave(*["ignore"] * 6)
    (folder / "src" / "main.js").write_text("in the dark\n")
    watching.next("waiting")
    watching.until("src/main.js")
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
        running.until("importmap.json")
    finally:
        running.end()
