"""Any course of stamps, releases, reverts and rebases ends as a plain dictionary says, and maps resolve as the standard says."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from iep.maps import address_of, apply_delta, build_document
from iep.services.stamps import Stamped, _merge_file, _merge_removal
from iep.types import File
from tests.iep.resolution import SITE, Blocked, resolve

PATHS = ["src/a.js", "src/b.js", "src/x/a.js", "lib/c.js", "app.css"]
path = st.sampled_from(PATHS)
digest = st.sampled_from([letter * 64 for letter in "abcd"])
files = st.dictionaries(path, digest)
step = st.tuples(path, st.one_of(st.none(), digest))


@settings(max_examples=300, deadline=None)
@given(production=files, steps=st.lists(step, max_size=12))
def test_a_delta_is_exactly_the_difference(production, steps):
    wanted, delta, found = dict(production), {}, Stamped(None)
    for where, content in steps:
        if content is None:
            wanted.pop(where, None)
            _merge_removal(delta, where, production.get(where), found)
        else:
            wanted[where] = content
            _merge_file(delta, File(where, content, 1), production.get(where), False, found)
    assert apply_delta(production, delta) == wanted
    assert set(delta) == {where for where in PATHS if production.get(where) != wanted.get(where)}
    assert all(entry["base"] == production.get(where) for where, entry in delta.items())


@settings(max_examples=300, deadline=None)
@given(production=files, mine=files, theirs=files)
def test_deltas_of_different_paths_go_in_any_order(production, mine, theirs):
    one = {where: {"digest": content, "base": production.get(where)} for where, content in mine.items()}
    two = {
        where: {"digest": content, "base": production.get(where)}
        for where, content in theirs.items()
        if where not in mine
    }
    assert apply_delta(apply_delta(production, one), two) == apply_delta(apply_delta(production, two), one)


def lead(document: dict, specifier: str, importer: str) -> str | None:
    try:
        return resolve(document, specifier, importer).removeprefix(SITE)
    except Blocked:
        return None


@settings(max_examples=200, deadline=None)
@given(live=files, importer=path, removed=st.sets(path))
def test_whatever_imports_whatever_gets_the_file_of_the_map(live, importer, removed):
    removed = frozenset(removed - live.keys())
    specifiers = {"imports": {"@/": "./src/", "c": "./lib/c.js"}, "scopes": {"./src/x/": {"c": "./src/a.js"}}}
    document = json.loads(build_document("shop", live, specifiers, removed))
    here = SITE + address_of("shop", importer, "f" * 64)
    for where in PATHS:
        up = "../" * importer.count("/")
        got = lead(document, f"./{up}{where}", here)
        if where in live:
            assert got == address_of("shop", where, live[where])
        elif where in removed:
            assert got is None
        bare = lead(document, f"@/{where.removeprefix('src/')}", here) if where.startswith("src/") else None
        if where.startswith("src/") and where in live:
            assert bare == address_of("shop", where, live[where])
    c = lead(document, "c", here)
    meant = "src/a.js" if importer.startswith("src/x/") else "lib/c.js"
    assert c == (address_of("shop", meant, live[meant]) if meant in live else None)
    assert set(document["integrity"]) == {address_of("shop", where, content) for where, content in live.items()}
