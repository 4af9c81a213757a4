"""The manifest, the bytes that are missing, the manifest again."""

from __future__ import annotations

import pytest

from stamp.client import Service
from stamp.errors import Away, Failed
from stamp.stamping import MOST_FILES, Stamper, along, portions
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
    assert [len(posts(fake)), len(fake.asked("PUT"))] == [2, 0], "small ones come along with the second manifest"
    assert not any("content" in file for file in posts(fake)[0]["files"])
    fake.requests.clear()
    assert stamper.whole()["changed"] == []
    assert len(fake.requests) == 1
    (folder / "src" / "main.js").write_text("changed\n")
    fake.requests.clear()
    stamper.whole()
    assert [file["path"] for file in posts(fake)[1]["files"] if "content" in file] == ["src/main.js"]


def test_equal_files_are_sent_once(fake, stamper, folder):
    for name in ("a.js", "b.js"):
        (folder / "src" / name).write_text("the same\n")
        (folder / "src" / name.replace(".", "-large.")).write_text("the same\n" * 10_000)
    stamper.whole()
    assert len(fake.asked("PUT")) == 1
    assert (
        len(
            [file for file in posts(fake)[1]["files"] if "content" in file and file["path"] in {"src/a.js", "src/b.js"}]
        )
        == 1
    )


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
            (folder / "src" / "main.js").write_text("second\n" * 10_000)
            return super().put(path, content)

    (folder / "src" / "main.js").write_text("first\n" * 20_000)
    stamper = Stamper(Slow(fake.url, TOKEN), Tree(folder, ("src",)), "shop", "TKT-1")
    stamper.whole()
    assert fake.blobs[fake.files("TKT-1")["src/main.js"]] == b"second\n" * 10_000


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


def test_an_upload_that_fails_stamps_nothing(fake, stamper, folder):
    for name in ("main.js", "cart/cart.js"):
        (folder / "src" / name).write_text(name * 10_000)
    stamper.service.retries = 0
    fake.misbehave((409, {"code": "missing_blobs", "missing": [file.digest for file in stamper.tree.files()]}, {}))
    fake.misbehave("ignore", "ignore")
    with pytest.raises(Away):
        stamper.whole()
    assert fake.stamps == {}


def test_what_comes_along_fits_into_one_request():
    small = [File(f"src/{number}.js", f"{number:064}", 60_000) for number in range(100)]
    everything = {file.digest for file in small}
    assert len(along(small, everything)) == 17, "at most 1 MiB"
    assert along([File("src/x.js", "0" * 64, 65 * 1024)], {"0" * 64}) == set()
    crowd = [File(f"src/{number}.js", f"{number:064}", 1_000) for number in range(MOST_FILES)]
    assert len(along(crowd, {file.digest for file in crowd})) * 4 / 3 * 1_000 + MOST_FILES * 220 < 2 * 1024 * 1024


def test_large_trees_go_in_portions():
    files = [File(f"src/{number}.js", "0" * 64, 1) for number in range(MOST_FILES + 1)]
    assert [len(part) for part in portions(files)] == [MOST_FILES, 1]
    assert [len(part) for part in portions([])] == [0]
