"""Which files are an application's, and what is in them."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata

import pytest

from stamp.errors import Usage
from stamp.graph import read_graph
from stamp.tree import Tree
from tests.iep.stamp.running import git


def names(tree: Tree) -> list[str]:
    return [file.path for file in tree.files()]


def test_files_of_known_types_below_the_folders(folder):
    for name in (".env.js", "page.html", "logo.svg", "README", "x.js~", "style.css"):
        (folder / "src" / name).write_text("x")
    (folder / "src" / "node_modules").mkdir()
    (folder / "src" / "node_modules" / "dep.js").write_text("x")
    (folder / "other.js").write_text("x")
    assert names(Tree(folder, ("src",))) == ["src/cart/cart.js", "src/main.js", "src/style.css"]
    assert names(Tree(folder, ("src", "other.js"), exclude=("*.css", "src/cart/*"))) == ["other.js", "src/main.js"]


def test_what_git_ignores_is_left_out(checkout):
    (checkout / ".gitignore").write_text("dist/\n*.gen.js\n")
    (checkout / "src" / "a.gen.js").write_text("x")
    (checkout / "src" / "dist").mkdir()
    (checkout / "src" / "dist" / "b.js").write_text("x")
    (checkout / "src" / "new.js").write_text("x")
    tree = Tree(checkout, ("src",))
    assert names(tree) == ["src/cart/cart.js", "src/main.js", "src/new.js"]
    assert tree.ignored(["src/a.gen.js", "src/new.js"]) == {"src/a.gen.js"}


def test_digests_follow_the_bytes(folder):
    tree = Tree(folder, ("src",))
    before = tree.file("src/main.js")
    (folder / "src" / "main.js").write_text("other\n")
    after = tree.file("src/main.js")
    assert after.digest == hashlib.sha256(b"other\n").hexdigest() != before.digest
    assert tree.body(before) is None, "bytes of another digest are never sent for it"
    assert tree.body(after) == b"other\n"


def test_a_file_that_is_gone_is_none(folder):
    tree = Tree(folder, ("src",))
    tree.files()
    (folder / "src" / "main.js").unlink()
    assert tree.file("src/main.js") is None
    assert names(tree) == ["src/cart/cart.js"]


def test_names_are_composed(folder):
    decomposed = unicodedata.normalize("NFD", "src/é.js")
    (folder / decomposed).write_text("x")
    composed = next(
        file for file in Tree(folder, ("src",)).files() if "main" not in file.path and "cart" not in file.path
    )
    assert composed.path == unicodedata.normalize("NFC", decomposed)
    assert Tree(folder, ("src",)).body(composed) == b"x"


def test_deletions_are_those_of_this_branch_and_not_what_others_added(checkout, tmp_path):
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(tmp_path / "remote.git"), str(other))
    (other / "src" / "theirs.js").write_text("theirs\n")
    git(other, "add", ".")
    git(other, "commit", "-qm", "Theirs")
    git(other, "push", "-q", "origin", "HEAD")
    git(checkout, "fetch", "-q")
    (checkout / "src" / "cart" / "cart.js").unlink()
    assert Tree(checkout, ("src",)).deleted() == ["src/cart/cart.js"]
    git(checkout, "commit", "-qam", "Delete")
    assert Tree(checkout, ("src",)).deleted() == ["src/cart/cart.js"]


def test_a_folder_that_is_not_there_is_said(folder):
    with pytest.raises(Usage, match="There is no"):
        Tree(folder, ("sources",))


def test_a_symbolic_link_to_nowhere_is_no_file(folder):
    os.symlink("nowhere", folder / "src" / "dead.js")
    assert names(Tree(folder, ("src",))) == ["src/cart/cart.js", "src/main.js"]


def test_the_graph_of_vite_and_of_esbuild(folder):
    vite = folder / "dist" / ".vite"
    vite.mkdir(parents=True)
    chunks = {
        "src/main.js": {"file": "assets/main-a1.js", "imports": ["_shared"], "dynamicImports": ["src/late.js"]},
        "_shared": {"file": "assets/shared-b2.js"}, "src/late.js": {"file": "late-c3.js"},
    }  # fmt: skip
    (vite / "manifest.json").write_text(json.dumps(chunks))
    graph = read_graph(vite / "manifest.json", folder)
    assert graph.imports["dist/assets/main-a1.js"] == ["./shared-b2.js", "../late-c3.js"]
    assert graph.lazy == {"dist/assets/main-a1.js": ["../late-c3.js"]}
    meta = {
        "outputs": {
            "dist/a.js": {
                "imports": [{"path": "dist/b.js", "kind": "dynamic-import"}, {"path": "preact", "external": True}]
            }
        }
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    graph = read_graph(folder / "meta.json", folder)
    assert (graph.imports, graph.lazy) == ({"dist/a.js": ["preact", "./b.js"]}, {"dist/a.js": ["./b.js"]})
    (folder / "meta.json").write_text("[]")
    with pytest.raises(Usage):
        read_graph(folder / "meta.json", folder)
