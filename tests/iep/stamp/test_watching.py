"""What a batch of file events becomes; the events themselves come in test_process.py."""

from __future__ import annotations

import contextlib
import io
import json
import signal

import pytest

from stamp.client import Service
from stamp.commands.update import ended_by_ctrl_c
from stamp.out import Out
from stamp.stamping import Stamper
from stamp.tree import Tree
from stamp.watching import Watch
from tests.fakes.stamps import TOKEN, problem


@pytest.fixture
def watch(fake, folder) -> Watch:
    stamper = Stamper(Service(fake.url, TOKEN, retries=0), Tree(folder, ("src",)), "shop", "TKT-1")
    watch = Watch(stamper, Out("update", json=True))
    watch.begin()
    stamper.whole()
    fake.requests.clear()
    return watch


def events(capsys) -> list[dict]:
    return [json.loads(line) for line in io.StringIO(capsys.readouterr().out)]


def test_changed_added_and_deleted_in_one_batch(watch, fake, folder, capsys):
    (folder / "src" / "main.js").write_text("changed\n")
    (folder / "src" / "new.js").write_text("new\n")
    (folder / "src" / "cart" / "cart.js").unlink()
    watch.note({"src/main.js", "src/new.js", "src/cart/cart.js", "src/.main.js.swp", "src/main.js~"})
    watch.send()
    assert len(fake.requests) == 1
    assert fake.files("TKT-1")["src/cart/cart.js"] is None
    assert fake.blobs[fake.files("TKT-1")["src/new.js"]] == b"new\n"
    assert events(capsys)[0]["removed"] == ["src/cart/cart.js"]
    assert watch.pending == set()


def test_a_save_that_changes_nothing_is_no_request(watch, fake, folder):
    (folder / "src" / "main.js").touch()
    watch.note({"src/main.js"})
    assert watch.pending == set()


def test_a_change_that_is_taken_back_before_it_is_sent(watch, folder):
    before = (folder / "src" / "main.js").read_text()
    (folder / "src" / "main.js").write_text("other\n")
    watch.note({"src/main.js"})
    assert watch.pending == {"src/main.js"}
    (folder / "src" / "main.js").write_text(before)
    watch.note({"src/main.js"})
    assert watch.pending == set()


def test_a_folder_that_is_renamed_moves_its_files(watch, folder):
    (folder / "src" / "cart").rename(folder / "src" / "basket")
    watch.note({"src/cart", "src/basket"})
    assert watch.pending == {"src/cart/cart.js", "src/basket/cart.js"}


def test_what_git_ignores_stays_away(checkout, fake, watch):
    (checkout / ".gitignore").write_text("*.gen.js\n")
    (checkout / "src" / "a.gen.js").write_text("x")
    watch.note({"src/a.gen.js"})
    assert watch.pending == set()


def test_while_the_server_is_away_saves_are_kept_and_merged(watch, fake, folder, capsys):
    fake.misbehave((503, {}, {}), (503, {}, {}))
    for text in ("one\n", "two\n"):
        (folder / "src" / "main.js").write_text(text)
        watch.note({"src/main.js"})
        watch.send()
    assert watch.pending == {"src/main.js"}
    assert watch._not_before > 0
    watch.send()
    assert fake.blobs[fake.files("TKT-1")["src/main.js"]] == b"two\n"
    assert [event["event"] for event in events(capsys)] == ["waiting", "stamped"], "said once, not at every try"


def test_a_ticket_in_qa_waits_for_it_to_come_back(watch, fake, folder, capsys):
    fake.misbehave((*problem(423, "not_in_dev", "TKT-1 is in qa."), {}))
    (folder / "src" / "main.js").write_text("one\n")
    watch.note({"src/main.js"})
    watch.send()
    assert watch.pending == {"src/main.js"}
    assert events(capsys)[0] | {"code": "not_in_dev", "retry": True} == events_like(watch)


def events_like(watch) -> dict:
    words = watch._last_words
    return {"v": 1, "event": "waiting", "code": "not_in_dev", "message": words, "lines": [], "retry": True}


def test_a_file_that_is_refused_is_not_sent_again_until_it_is_saved(watch, fake, folder, capsys):
    fake.misbehave((*problem(400, "invalid", "Bad path.", errors=[{"field": "files", "message": "src/x"}]), {}))
    (folder / "src" / "main.js").write_text("one\n")
    watch.note({"src/main.js"})
    watch.send()
    assert watch.pending == set()
    assert events(capsys)[0]["event"] == "refused"
    (folder / "src" / "main.js").write_text("two\n")
    watch.note({"src/main.js"})
    assert watch.pending == {"src/main.js"}


def test_ctrl_c_ends_the_watch_also_where_its_exception_is_ignored(watch):
    ended = []
    with pytest.raises(KeyboardInterrupt), ended_by_ctrl_c(watch.stop):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        watch.run()
        ended.append(True)
    assert ended == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
