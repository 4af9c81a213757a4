"""The import graph: read once, for hints only."""

from __future__ import annotations

import pytest

from iep.imports import read_imports, targets
from iep.models import Blob
from iep.selectors.conflicts import conflicts_of
from iep.services.change import load
from iep.services.upkeep import read_graph

SOURCE = b"""
import a, { b } from "./a.js"; import './side.js';
export * from "../up.js";
// import "no.js"
/* import "no.js" */
const text = "import 'no.js'"; const other = `import "no.js"`;
const lazy = () => import("./lazy.js"); import('./' + name); import(`./${name}.js`); import(`./plain.js`);
const again = () => import("./a.js"); const pattern = /import "no.js"/; import.meta.resolve("no.js");
import dep from 'dep'; import page from "@shop/pages/p.js";
"""


def test_what_a_module_imports():
    found = read_imports(SOURCE)
    assert found.all == ["./a.js", "./side.js", "../up.js", "./lazy.js", "./plain.js", "dep", "@shop/pages/p.js"]
    assert found.lazy == ["./lazy.js", "./plain.js"], "what a statement names too is needed at once"


def test_what_is_no_module_imports_nothing():
    for source in (b"\xff\xfe import not text", b"", b"import {" * 50, b"import('./x.js'" + b"(" * 5000):
        assert read_imports(source).all == []
    assert read_imports(b'import "./a.js";' + b" " * 1024 * 1024).all == [], "too long to be parsed"


def test_where_specifiers_lead():
    names = {"dep": "./vendor/dep.js", "@shop/": "./src/"}
    found = targets("src/x/main.js", ["./a.js", "../up.js", "dep", "@shop/pages/p.js", "unknown"], names)
    assert found == ["src/x/a.js", "src/up.js", "vendor/dep.js", "src/pages/p.js"]


@pytest.mark.django_db
def test_a_dependency_that_production_changed_is_a_hint(save, release):
    stamp = save("TKT-001", {"src/main.js": b'import "./nav.js"; import "@shop/cart.js";'}).stamp
    release("TKT-002", {"src/nav.js": b"nav 2", "src/app.css": b"a"})
    assert conflicts_of(load(stamp)) == []
    assert read_graph() > 0
    assert [(c.kind, c.path, c.blocks) for c in conflicts_of(load(stamp))] == [
        ("dependency_changed", "src/nav.js", False)
    ]
    assert not Blob.objects.filter(imports=None).exists()
    assert read_graph() == 0
