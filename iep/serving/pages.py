"""An application's page as a browser gets it: the map in place, assets by digest, scripts let in one by one."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from iep import maps
from iep.maps import Files, address_of, integrity_of

INLINE_ENTRIES = 200
PLACE = "<!-- importmap -->"
_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_BODY = re.compile(r"<body(?:\s[^>]*)?>", re.IGNORECASE)
_ASSET = re.compile(r"""(\s(?:href|src)=)(["'])([^"'<>]*)\2""", re.IGNORECASE)
_SCRIPT = re.compile(r"<script(?=[\s>])", re.IGNORECASE)
_INLINE = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.IGNORECASE | re.DOTALL)
_MODULE = re.compile(
    r"""<script(?=[^>]*\stype=["']?module["']?[\s>])([^>]*)>(.*?)</script>""", re.IGNORECASE | re.DOTALL
)
_SRC = re.compile(r"""\ssrc=(["'])([^"'<>]*)\1""", re.IGNORECASE)
_IMPORTED = re.compile(r"""\b(?:import|from)\s*["']([^"'\n]+)["']""")
INTEGRITY = "blocked-destinations=(script)"


@dataclass(frozen=True, slots=True)
class Page:
    """The bytes, and what they are allowed to run."""

    body: bytes
    policy: str


def entries_of(source: str) -> list[str]:
    """The specifiers with which the page's own module scripts begin."""
    found: list[str] = []
    for script in _MODULE.finditer(source):
        address = _SRC.search(script[1])
        found += [_relative(html.unescape(address[2]))] if address else _IMPORTED.findall(script[2])
    return found


def _relative(address: str) -> str:
    return address if address.startswith((".", "/")) or ":" in address else f"./{address}"


def render_page(
    application: str, source: str, files: Files, map_digest: str, document: str, *, nonce: str = "", banner: str = "",
    early: Sequence[str] = (),
) -> Page:  # fmt: skip
    """The page with its map, and the modules that it loads at once named `early` behind that.

    Without a nonce the same files give the same bytes: scripts are let in by their hashes.
    """
    text = _ASSET.sub(lambda found: _asset(found, application, files), source)
    # Behind the map, and none behind one that is a script: a browser that has begun to load modules may take no map any more.
    named = early if _is_small(document) else ()
    links = "".join(_preload(application, path, files[path], nonce) for path in named)
    text = _put_map(text, _map_element(map_digest, document) + links)
    if banner:
        text = _BODY.sub(lambda found: found[0] + banner, text, count=1)
    if nonce:
        text = _SCRIPT.sub(f'<script nonce="{nonce}"', text)
        allowed = f"'nonce-{nonce}'"
    else:
        allowed = " ".join(
            ["'self'", *dict.fromkeys(_hash(script) for script in _INLINE.findall(text) if script.strip())]
        )
    return Page(text.encode(), _policy(allowed))


def _asset(found: re.Match[str], application: str, files: Files) -> str:
    """A file of the application by its digest, so that the page and its files always fit together."""
    given = html.unescape(found[3])
    path = given.removeprefix(f"/apps/{application}/").removeprefix("./")
    digest = files.get(path)
    if digest is None:
        return found[0]
    quote, integrity = (
        found[2],
        f' integrity="{integrity_of(digest)}"' if path.endswith((".js", ".mjs", ".css")) else "",
    )
    return f"{found[1]}{quote}{html.escape(address_of(application, path, digest))}{quote}{integrity}"


def _preload(application: str, path: str, digest: str, nonce: str) -> str:
    address = html.escape(address_of(application, path, digest))
    allowed = f' nonce="{nonce}"' if nonce else ""
    return f'<link rel="modulepreload" href="{address}" integrity="{integrity_of(digest)}"{allowed}>'


def _is_small(document: str) -> bool:
    return document.count('":"') // 2 <= INLINE_ENTRIES


def _map_element(digest: str, document: str) -> str:
    """The map itself; a large one as a script that browsers keep."""
    if _is_small(document):
        return f'<script type="importmap">{document}</script>'
    script = maps.script_of(document).encode()
    proof = integrity_of(hashlib.sha256(script).hexdigest())
    return f'<script src="/iep/map/{digest}.js" integrity="{proof}"></script>'


def _put_map(text: str, element: str) -> str:
    if PLACE in text:
        return text.replace(PLACE, element, 1)
    if _HEAD.search(text):
        return _HEAD.sub(lambda found: found[0] + element, text, count=1)
    return element + text


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _policy(scripts: str) -> str:
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
