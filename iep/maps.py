"""Import maps: what an application's files and specifiers come to for a browser, as immutable bytes.

A module's address keeps its folder and holds its digest in the file's name, /iep/m/<app>/<folder>/<name>~<digest>.js, and
the map sends /iep/m/<app>/<folder>/<name>.js there. So whatever a module imports relatively, also by a computed name, is
an exact key of the map: no list of who imports whom is needed to reach a ticket's file, and nothing unchanged moves.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from django.db import connection

from iep import storage
from iep.models import Application, Change, ImportMap, Module, Release
from iep.types import Delta
from iep.validation import SPECIFIERS, ending, read_specifiers

MAPPED = {"js", "mjs", "json", "css", "wasm"}
ADDRESS = re.compile(r"/iep/m/(?P<app>[a-z0-9-]+)/(?P<stem>.+)~(?P<digest>[0-9a-f]{64})\.(?P<ending>[a-z0-9]+)")
# What could end a script element or a line of script early, written so that JSON reads it the same.
_ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}

Files = Mapping[str, str]
APPLICATIONS_KEPT = 4
_read_before: dict[int, tuple[int, Files]] = {}


def address_of(application: str, path: str, digest: str) -> str:
    """Where a browser gets exactly these bytes, for ever."""
    stem, _, kind = path.rpartition(".")
    return f"/iep/m/{application}/{stem}~{digest}.{kind}"


def base_of(application: str) -> str:
    """What relative imports of the application's modules are resolved below."""
    return f"/iep/m/{application}/"


def production_now(application: Application) -> tuple[int, Files]:
    """The production revision and its path -> digest, both of the same moment; large ones are read once a revision."""
    while True:
        revision = _revision(application)
        known = _read_before.get(application.pk)
        if known is not None and known[0] == revision:
            return known
        rows = Module.objects.filter(application=application).order_by().values_list("path", "digest")
        found = revision, MappingProxyType(dict(rows))
        if _revision(application) == revision:  # it only grows, and changes together with the modules
            if not connection.in_atomic_block:  # what is not committed may never be
                _remember(application, found)
            return found


def _remember(application: Application, found: tuple[int, Files]) -> None:
    while len(_read_before) >= APPLICATIONS_KEPT:
        _read_before.pop(next(iter(_read_before)), None)
    _read_before[application.pk] = found


def _revision(application: Application) -> int:
    return Application.objects.values_list("revision", flat=True).get(pk=application.pk)


def production_at(application: Application, revision: int) -> dict[str, str]:
    """path -> digest as production had it at an earlier revision: later changes taken back, the newest first."""
    head, now = production_now(application)
    files = dict(now)
    later = Change.objects.filter(application=application, revision__gt=revision, revision__lte=head)
    for path, before in later.order_by("-revision").values_list("path", "before"):
        if before:
            files[path] = before
        else:
            files.pop(path, None)
    return files


def apply_delta(files: Files, delta: Delta) -> dict[str, str]:
    """Production with a ticket's changes over it."""
    effective = dict(files)
    for path, entry in delta.items():
        if entry["digest"] is None:
            effective.pop(path, None)
        else:
            effective[path] = entry["digest"]
    return effective


def build_document(application: str, files: Files, specifiers: Mapping[str, Any], removed: frozenset[str]) -> str:
    """The import map's text; removed paths are blocked rather than left to what production has there."""
    base = base_of(application)
    where = {path: address_of(application, path, digest) for path, digest in files.items() if ending(path) in MAPPED}
    imports: dict[str, str | None] = {f"{base}{path}": None for path in removed if ending(path) in MAPPED}
    imports |= _expand({"./": "./"} | specifiers.get("imports", {}), base, where)
    document: dict[str, Any] = {"imports": imports}
    if scopes := specifiers.get("scopes"):
        document["scopes"] = {
            _scope(base, scope, where): _closed(table, base) | _expand(table, base, where)
            for scope, table in scopes.items()
        }
    document["integrity"] = {where[path]: integrity_of(digest) for path, digest in files.items() if path in where}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.translate(_ESCAPES)


def _expand(table: Mapping[str, str], base: str, where: Mapping[str, str]) -> dict[str, str | None]:
    """Specifiers with the addresses of now; a folder's stands for each file in it, a missing file is blocked.

    As the standard has it, a name of its own comes before a folder, and what the longest folder does not have is nowhere.
    """
    found: dict[str, str | None] = {}
    for folder in sorted((each for each in table if each.endswith("/")), key=len):
        found = {name: None if name.startswith(folder) else address for name, address in found.items()}
        path = table[folder].removeprefix("./")
        found |= {folder + inner[len(path) :]: address for inner, address in where.items() if inner.startswith(path)}
    names = (name for name in table if not name.endswith("/"))
    found |= {name: where.get(table[name].removeprefix("./")) for name in names}
    return {_key(base, name): address for name, address in found.items()}


def _closed(table: Mapping[str, str], base: str) -> dict[str, None]:
    """A scope's folders: what is not in them is not looked for outside of the scope."""
    return {_key(base, folder): None for folder in table if folder.endswith("/")}


def _key(base: str, specifier: str) -> str:
    """A specifier of a file is where that is served, whatever page the map is on."""
    return base + specifier[2:] if specifier.startswith("./") else specifier


def _scope(base: str, scope: str, where: Mapping[str, str]) -> str:
    path = scope.removeprefix("./")
    return where.get(path, base + path)


def integrity_of(digest: str) -> str:
    return "sha256-" + base64.b64encode(bytes.fromhex(digest)).decode()


@lru_cache(maxsize=512)
def specifiers_by_digest(digest: str) -> dict[str, Any]:
    """The specifiers that an importmap.json of this digest gives; none where it is not there."""
    content = storage.read(digest)
    return read_specifiers(content) if content is not None else {}


def specifiers_of(files: Files) -> dict[str, Any]:
    return specifiers_by_digest(files[SPECIFIERS]) if SPECIFIERS in files else {}


def keep_map(application: Application, files: Files, removed: frozenset[str] = frozenset()) -> ImportMap:
    """The map of these files, kept under its digest."""
    text = build_document(application.slug, files, specifiers_of(files), removed)
    made = ImportMap(digest=hashlib.sha256(text.encode()).hexdigest(), application=application, document=text)
    if not ImportMap.objects.filter(pk=made.digest).exists():
        ImportMap.objects.bulk_create([made], ignore_conflicts=True)
    return made


def production_map(application: Application) -> ImportMap:
    """The map of production as it is now; made when it is first asked for after a release."""
    found = ImportMap.objects.filter(digest__in=_digest_of_head(application)).first()
    return found or _make_production_map(application)


def _digest_of_head(application: Application) -> Any:
    head = Application.objects.filter(pk=application.pk).values("revision")
    return (
        Release.objects.filter(application=application, revision__in=head).exclude(map_digest="").values("map_digest")
    )


def _make_production_map(application: Application) -> ImportMap:
    revision, files = production_now(application)
    made = keep_map(application, files)
    Release.objects.filter(application=application, revision=revision, map_digest="").update(map_digest=made.digest)
    return made


def removed_paths(*deltas: Delta) -> frozenset[str]:
    return frozenset(path for delta in deltas for path, entry in delta.items() if entry["digest"] is None)


def script_of(document: str) -> str:
    """A classic script that puts the map into the page, for pages that are not ours; it hands its nonce on.

    From another site's page, addresses are taken as the script's own site has them.
    """
    quoted = json.dumps(document).translate(_ESCAPES)
    return (
        "(function(){var me=document.currentScript,map=" + quoted + ",site=new URL(me.src).origin;"
        'if(site!==location.origin)map=map.replace(/"\\/iep\\//g,\'"\'+site+"/iep/");'
        'var s=document.createElement("script");s.type="importmap";s.nonce=me.nonce;s.textContent=map;'
        "me.after(s)})();\n"
    )
