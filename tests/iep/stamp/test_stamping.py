"""The manifest, the bytes that are missing, the manifest again."""

from __future__ import annotations

import pytest

from stamp.client import Service
from stamp.errors import Away, Failed
from stamp.stamping import MOST_FILES, Stamper, portions
from stamp.tree import LARGEST, File, Tree
from tests.fakes.stamps import TOKEN


@pytest.fixture
def stamper(fake, folder) -> Stamper:
    service = Service(fake.url, TOKEN, pause=lambda _: None)
    return Stamper(service, Tree(folder, ("src",)), "shop", "TKT-1")


def posts(fake) -> list[dict]:
    return fake.asked("POST", "/stamps/TKT-1")


def test_only_what_is_missing_is_sent_and_an_unchanged_tree_is_one_request(fake, stamper, folder):
    stamp = stamper.whole()
    assert stamp["changed"] == ["src/cart/cart.js", "src/main.js"]
    assert [len(posts(fake)), len(fake.asked("PUT"))] == [2, 2]
    assert not any("content" in file for post in posts(fake) for file in post["files"])
    fake.requests.clear()
    assert stamper.whole()["changed"] == []
    assert len(fake.requests) == 1
    (folder / "src" / "main.js").write_text("changed\n")
    fake.requests.clear()
    stamper.whole()
    assert fake.asked("PUT") == [b"changed\n"]


def test_equal_files_are_sent_once(fake, stamper, folder):
    for name in ("a.js", "b.js"):
        (folder / "src" / name).write_text("the same\n")
    stamper.whole()
    assert fake.asked("PUT").count(b"the same\n") == 1


def test_a_save_is_one_request(fake, stamper, folder):
    (folder / "src" / "main.js").write_text("saved\n")
    assert stamper.save(["src/main.js"])["changed"] == ["src/main.js"]
    assert len(fake.requests) == 1
    assert posts(fake)[0]["mode"] == "save"


def test_a_large_save_goes_the_long_way(fake, stamper, folder):
    (folder / "src" / "main.js").write_text("x" * 70_000)
    stamper.save(["src/main.js"])
    assert [len(posts(fake)), len(fake.asked("PUT"))] == [2, 1]


def test_deleted_files_are_named(fake, stamper, folder):
    stamper.whole()
    (folder / "src" / "main.js").unlink()
    stamper.save(["src/main.js"])
    assert posts(fake)[-1]["removed"] == ["src/main.js"]
    assert fake.files("TKT-1")["src/main.js"] is None


def test_a_file_saved_again_while_it_is_sent_arrives_as_it_is_last(fake, folder):
    class Slow(Service):
        """Somebody saves once more between manifest and bytes."""

        def put(self, path, content):
            (folder / "src" / "main.js").write_text("second\n")
            return super().put(path, content)

    (folder / "src" / "main.js").write_text("first\n")
    stamper = Stamper(Slow(fake.url, TOKEN), Tree(folder, ("src",)), "shop", "TKT-1")
    stamper.whole()
    assert fake.blobs[fake.files("TKT-1")["src/main.js"]] == b"second\n"


def test_the_graph_and_the_origin_go_along(fake, stamper):
    stamper.git = {"head": "0" * 40, "branch": "b", "dirty": False, "remote": ""}
    stamper.imports = {"src/main.js": ["./cart/cart.js"], "src/elsewhere.js": []}
    stamper.whole()
    assert posts(fake)[-1]["git"]["branch"] == "b"
    assert posts(fake)[-1]["imports"] == {"src/main.js": ["./cart/cart.js"]}


def test_too_large_is_said_before_anything_is_sent(fake, stamper, folder):
    (folder / "src" / "big.wasm").write_bytes(b"\0" * (LARGEST + 1))
    with pytest.raises(Failed) as stopped:
        stamper.whole()
    assert "src/big.wasm" in stopped.value.lines[0]
    assert fake.requests == []


def test_an_upload_that_fails_stamps_nothing(fake, stamper):
    stamper.service.retries = 0
    fake.misbehave((409, {"code": "missing_blobs", "missing": [file.digest for file in stamper.tree.files()]}, {}))
    fake.misbehave("ignore", "ignore")
    with pytest.raises(Away):
        stamper.whole()
    assert fake.stamps == {}


def test_large_trees_go_in_portions():
    files = [File(f"src/{number}.js", "0" * 64, 1) for number in range(MOST_FILES + 1)]
    assert [len(part) for part in portions(files)] == [MOST_FILES, 1]
    assert [len(part) for part in portions([])] == [0]
