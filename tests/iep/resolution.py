"""The HTML standard's "resolve a module specifier" with its parsing of import maps, word for word; and what maps must lead to."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin

from iep.maps import address_of, base_of

SITE = "https://site.example"
PAGE = f"{SITE}/apps/shop/"
BASE = SITE + base_of("shop")
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SPECIAL = {"http", "https", "ftp", "ws", "wss", "file"}

Table = dict[str, str | None]


class Blocked(Exception):
    """What the standard throws a TypeError for."""


def resolve(map_of_page: dict[str, Any], specifier: str, importer: str, *, page: str = PAGE) -> str:
    """The address that `importer` gets for the specifier on a page with this map; Blocked."""
    as_url = url_like(specifier, importer)
    normalized = as_url or specifier
    scopes = {urljoin(page, prefix): table for prefix, table in map_of_page.get("scopes", {}).items()}
    tables = [
        scopes[prefix]
        for prefix in sorted(scopes, reverse=True)
        if prefix == importer or (prefix.endswith("/") and importer.startswith(prefix))
    ]
    for table in [*tables, map_of_page.get("imports", {})]:
        if found := _match(normalized, as_url, _normal(table, page)):
            return found
    if as_url is None:
        raise Blocked(f"{specifier} is no address, and the map does not have it")
    return as_url


def url_like(specifier: str, base: str) -> str | None:
    if specifier.startswith(("/", "./", "../")):
        return urljoin(base, specifier)
    return specifier if _ABSOLUTE.match(specifier) else None


def _normal(table: Table, page: str) -> Table:
    found: Table = {}
    for given, value in table.items():
        if not given:
            continue
        key = url_like(given, page) or given
        address = url_like(value, page) if isinstance(value, str) else None
        found[key] = None if address and given.endswith("/") and not address.endswith("/") else address
    return found


def _match(normalized: str, as_url: str | None, table: Table) -> str | None:
    for key in sorted(table, reverse=True):
        address = table[key]
        if key == normalized:
            return _given(address, key)
        if key.endswith("/") and normalized.startswith(key) and (as_url is None or _is_special(as_url)):
            prefix = _given(address, key)
            found = urljoin(prefix, normalized[len(key) :])
            if not found.startswith(prefix):
                raise Blocked(f"{normalized} leads out of {key}")
            return found
    return None


def _given(address: str | None, key: str) -> str:
    if address is None:
        raise Blocked(f"{key} is null")
    return address


def _is_special(url: str) -> bool:
    scheme = _ABSOLUTE.match(url)
    return scheme is not None and scheme[1].lower() in _SPECIAL


# What an application's own map means

FILES = {
    path: f"{number:064x}"
    for number, path in enumerate(
        [
            "src/main.js", "src/a.js", "src/x/a.js", "src/x/deep/b.js", "lib/a.js", "lib/x/a.js", "lib/special.js",
            "vendor/dep.js", "vendor/dep/core.js", "other/dep.js", "other/dep/core.js", "src/style.css",
        ]
    )
}  # fmt: skip


def address(path: str, files: dict[str, str] = FILES) -> str:
    return SITE + address_of("shop", path, files[path])


def meant(own: dict[str, Any], specifier: str, importer: str, files: dict[str, str] = FILES) -> str | None:
    """The address of the file that an importmap.json, read as it stands at the application's root, leads to; None for none."""
    try:
        found = resolve(own, specifier, BASE + importer, page=BASE)
    except Blocked:
        return None
    path = found.removeprefix(BASE)
    return address(path, files) if path in files else None


def got(document: dict[str, Any], specifier: str, importer: str, files: dict[str, str] = FILES) -> str | None:
    """The same by the map that a page gets, for the importer as it is served."""
    try:
        found = resolve(document, specifier, address(importer, files))
    except Blocked:
        return None
    return found if found in {address(path, files) for path in files} else None


FOLDERS = {"@/": "./src/", "@/x/": "./lib/x/"}
# (what it shows, importmap.json, who imports, specifier, the file it leads to or None)
CASES: list[tuple[str, dict[str, Any], str, str, str | None]] = [
    ("an exact name", {"imports": {"dep": "./vendor/dep.js"}}, "src/main.js", "dep", "vendor/dep.js"),
    ("a name is no prefix", {"imports": {"dep": "./vendor/dep.js"}}, "src/main.js", "dep/core.js", None),
    ("a name that nobody knows", {"imports": {"dep": "./vendor/dep.js"}}, "src/main.js", "Dep", None),
    ("a folder", {"imports": {"@/": "./src/"}}, "lib/a.js", "@/x/deep/b.js", "src/x/deep/b.js"),
    ("a folder by itself", {"imports": {"@/": "./src/"}}, "lib/a.js", "@/", None),
    ("nothing in the folder", {"imports": {"@/": "./src/"}}, "lib/a.js", "@/none.js", None),
    ("the longest folder", {"imports": FOLDERS}, "src/main.js", "@/x/a.js", "lib/x/a.js"),
    ("the longest in any order", {"imports": dict(reversed(FOLDERS.items()))}, "src/main.js", "@/x/a.js", "lib/x/a.js"),
    ("the longest alone", {"imports": FOLDERS}, "src/main.js", "@/x/deep/b.js", None),
    ("beside the longest", {"imports": FOLDERS}, "src/main.js", "@/a.js", "src/a.js"),
    ("exact before folder", {"imports": {"@/a.js": "./lib/a.js", "@/": "./src/"}}, "src/main.js", "@/a.js", "lib/a.js"),
    ("exact to nothing", {"imports": {"@/a.js": "./lib/no.js", "@/": "./src/"}}, "src/main.js", "@/a.js", None),
    ("no way out of a folder", {"imports": {"@/": "./src/"}}, "src/main.js", "@/../lib/a.js", None),
    ("the whole application", {"imports": {"#/": "./"}}, "src/main.js", "#/lib/a.js", "lib/a.js"),
    ("a relative import", {"imports": {}}, "src/x/a.js", "../a.js", "src/a.js"),
    ("a relative import of itself", {"imports": {}}, "src/x/a.js", "./a.js", "src/x/a.js"),
    ("an import that leads beyond the root", {"imports": {}}, "src/x/a.js", "../../../../../lib/a.js", None),
    ("a file instead of another", {"imports": {"./src/a.js": "./lib/a.js"}}, "src/main.js", "./a.js", "lib/a.js"),
    ("from elsewhere too", {"imports": {"./src/a.js": "./lib/a.js"}}, "src/x/a.js", "../a.js", "lib/a.js"),
    ("not applied twice", {"imports": {"./src/a.js": "./lib/a.js", "n": "./src/a.js"}}, "lib/a.js", "n", "src/a.js"),
    ("a folder instead of another", {"imports": {"./src/x/": "./lib/x/"}}, "src/main.js", "./x/a.js", "lib/x/a.js"),
    ("a whole address", {"imports": {"https://cdn.example/d.js": "./vendor/dep.js"}}, "src/main.js",
     "https://cdn.example/d.js", "vendor/dep.js"),
    ("a folder of addresses", {"imports": {"https://cdn.example/": "./vendor/"}}, "src/main.js",
     "https://cdn.example/dep/core.js", "vendor/dep/core.js"),
    ("a scheme that is not special", {"imports": {"app:x": "./src/a.js"}}, "src/main.js", "app:x", "src/a.js"),
    ("within a scope", {"imports": {"dep": "./vendor/dep.js"}, "scopes": {"./src/x/": {"dep": "./other/dep.js"}}},
     "src/x/deep/b.js", "dep", "other/dep.js"),
    ("outside of it", {"imports": {"dep": "./vendor/dep.js"}, "scopes": {"./src/x/": {"dep": "./other/dep.js"}}},
     "src/a.js", "dep", "vendor/dep.js"),
    ("the innermost scope", {"scopes": {"./src/": {"dep": "./vendor/dep.js"}, "./src/x/": {"dep": "./other/dep.js"}}},
     "src/x/a.js", "dep", "other/dep.js"),
    ("then the one around it", {"scopes": {"./src/": {"dep": "./vendor/dep.js"}, "./src/x/": {"n": "./lib/a.js"}}},
     "src/x/a.js", "dep", "vendor/dep.js"),
    ("then the whole map", {"imports": {"dep": "./vendor/dep.js"}, "scopes": {"./src/x/": {"n": "./lib/a.js"}}},
     "src/x/a.js", "dep", "vendor/dep.js"),
    ("a scope of one file", {"scopes": {"./src/x/a.js": {"dep": "./other/dep.js"}}}, "src/x/a.js", "dep", "other/dep.js"),
    ("a scope of the whole application", {"scopes": {"./": {"dep": "./other/dep.js"}}}, "lib/a.js", "dep", "other/dep.js"),
    ("a scope's folder has no way around it",
     {"imports": {"dep/": "./vendor/dep/"}, "scopes": {"./src/x/": {"dep/": "./lib/"}}}, "src/x/a.js", "dep/core.js", None),
    ("a scope's missing file has no way around it",
     {"imports": {"dep": "./vendor/dep.js"}, "scopes": {"./src/x/": {"dep": "./lib/no.js"}}}, "src/x/a.js", "dep", None),
    ("a relative import within a scope",
     {"scopes": {"./src/x/": {"./src/a.js": "./lib/a.js"}}}, "src/x/a.js", "../a.js", "lib/a.js"),
    ("a prototype's name", {"imports": {"@/": "./src/"}}, "src/main.js", "__proto__", None),
    ("a name with blanks and quotes", {"imports": {'a "b" </script>': "./src/a.js"}}, "src/main.js", 'a "b" </script>',
     "src/a.js"),
]  # fmt: skip
