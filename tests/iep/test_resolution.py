"""Maps lead where the HTML standard says: the author's importmap.json, with each file in its version of now."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iep.maps import build_document
from iep.validation import read_specifiers
from tests.iep.resolution import CASES, FILES, address, got, meant


def document_of(own, files=FILES, removed=frozenset()):
    return json.loads(build_document("shop", files, read_specifiers(json.dumps(own).encode()), removed))


@pytest.mark.parametrize(
    ("own", "importer", "specifier", "wanted"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_specifier_leads_where_the_standard_says(own, importer, specifier, wanted):
    wanted = address(wanted) if wanted else None
    assert meant(own, specifier, importer) == wanted, "the standard"
    assert got(document_of(own), specifier, importer) == wanted, "what the page gets"


NAMES = ["a.js", "x/a.js", "x/deep/b.js", "dep.js", "dep/core.js", "no.js"]
FOLDERS = ["./", "./src/", "./src/x/", "./lib/", "./vendor/", "./other/", "./none/"]
PREFIXES = ["@/", "@/x/", "dep/", "./src/", "./src/x/", "./vendor/"]
names = st.sampled_from(NAMES)
table = st.dictionaries(st.sampled_from(PREFIXES), st.sampled_from(FOLDERS)) | st.dictionaries(
    st.builds(str.__add__, st.sampled_from(["", *PREFIXES]), names),
    st.builds(str.__add__, st.sampled_from(FOLDERS), names),
)
mixed = st.builds(lambda one, two: one | two, table, table)
own_maps = st.builds(
    lambda imports, scopes: {"imports": imports, "scopes": scopes},
    mixed,
    st.dictionaries(st.sampled_from([*FOLDERS, "./src/x/a.js", "./src/none.js"]), mixed, max_size=3),
)
wanted = st.builds(str.__add__, st.sampled_from(["", "./", "../", "../../", *PREFIXES[:3]]), names)


@settings(max_examples=600, deadline=None)
@given(
    own=own_maps,
    specifier=wanted,
    importer=st.sampled_from(sorted(FILES)),
    gone=st.sets(st.sampled_from(sorted(FILES))),
)
def test_any_map_means_what_it_says(own, specifier, importer, gone):
    """Also with files that the ticket removed: they are not there, and nothing else takes their place."""
    files = {path: digest for path, digest in FILES.items() if path == importer or path not in gone}
    document = document_of(own, files, frozenset(gone - files.keys()))
    assert got(document, specifier, importer, files) == meant(own, specifier, importer, files)
