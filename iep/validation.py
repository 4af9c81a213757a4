"""What may be uploaded under which name, with a sentence for each fault."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from core.errors import InvalidInput
from iep.types import File

MAX_FILES = 5_000
MAX_BYTES = 10 * 1024 * 1024
MAX_INLINE = 64 * 1024
MAX_INLINE_TOTAL = 1024 * 1024
MAX_PATH = 512
MAX_MODULES = 50_000
SPECIFIERS = "importmap.json"

# By ending; never HTML, SVG or XML, which browsers would run as pages of ours.
TYPES = {
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "map": "application/json",
    "wasm": "application/wasm",
    "txt": "text/plain; charset=utf-8",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "ico": "image/x-icon",
    "woff": "font/woff",
    "woff2": "font/woff2",
}
TICKET_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,19}-[0-9]{1,9}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\%~?#:*|\"<>\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_WINDOWS = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)


def is_digest(text: object) -> bool:
    return isinstance(text, str) and bool(_DIGEST.fullmatch(text))


def ending(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[2].lower()


def fold(path: str) -> str:
    """What two paths have in common that are one file where cases are not told apart."""
    return path.casefold()


def fault_of_path(path: str) -> str:
    """What is wrong with the path, empty when nothing is."""
    parts = path.split("/")
    if not path or len(path.encode("utf-8", "surrogatepass")) > MAX_PATH:
        return f"A path has 1 to {MAX_PATH} bytes."
    if _FORBIDDEN.search(path):
        return 'Leave out backslashes, control characters and % ~ ? # : * | " < >.'
    if any(not part or part.startswith(".") or part != part.strip() or part.endswith(".") for part in parts):
        return "No empty parts, no parts that begin or end with a dot or a blank: the path is relative to the root."
    if unicodedata.normalize("NFC", path) != path:
        return "Spell the path in Unicode's composed form (NFC)."
    if any(_WINDOWS.match(part) for part in parts):
        return "This name means a device on some systems. Rename the file."
    if "." not in parts[-1] or ending(path) not in TYPES:
        return f"Files of this type are not served. Known types: {', '.join(TYPES)}."
    return ""


def check_files(files: Sequence[File], removed: Iterable[str]) -> None:
    """InvalidInput with every fault of a manifest at once, or nothing."""
    errors: dict[str, list[str]] = {}
    if len(files) > MAX_FILES:
        raise InvalidInput({"files": [f"At most {MAX_FILES} files at once; send several manifests."]})
    folded: dict[str, str] = {}
    for number, file in enumerate(files):
        field = f"files[{number}]"
        if fault := fault_of_path(file.path):
            errors.setdefault(f"{field}.path", []).append(f"{file.path[:80]!r}: {fault}")
        if not is_digest(file.digest):
            errors.setdefault(f"{field}.digest", []).append("Give the SHA-256 as 64 digits of 0-9 and a-f.")
        if not 0 <= file.size <= MAX_BYTES:
            errors.setdefault(f"{field}.size", []).append(f"{file.path[:80]}: at most {MAX_BYTES} bytes.")
        _note_twin(folded, file.path, field, errors)
    for number, path in enumerate(removed):
        if fault := fault_of_path(path):
            errors.setdefault(f"removed[{number}]", []).append(f"{path[:80]!r}: {fault}")
        elif path in folded.values():
            errors.setdefault(f"removed[{number}]", []).append(f"{path[:80]}: it is listed among the files too.")
    if errors:
        raise InvalidInput(errors)


def _note_twin(folded: dict[str, str], path: str, field: str, errors: dict[str, list[str]]) -> None:
    twin = folded.setdefault(fold(path), path)
    if twin is not path:
        sentence = f"{path[:80]} and {twin[:80]} are one file on some systems. Rename one."
        errors.setdefault(f"{field}.path", []).append(sentence)


def read_specifiers(text: bytes) -> dict[str, Any]:
    """The application's importmap.json; InvalidInput for anything browsers or we would not take."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _no_map(f"it is not JSON ({error})") from error
    if not isinstance(value, dict) or set(value) - {"imports", "scopes"}:
        raise _no_map('it is an object with "imports" and "scopes" only')
    imports, scopes = value.get("imports", {}), value.get("scopes", {})
    if not isinstance(scopes, dict) or not all(isinstance(scope, str) for scope in scopes):
        raise _no_map('"scopes" is an object')
    for table in (imports, *scopes.values()):
        _check_addresses(table)
    for scope in scopes:
        _check_local(scope)
    return {"imports": imports, "scopes": scopes}


def _check_addresses(table: Any) -> None:
    if not isinstance(table, dict):
        raise _no_map("it lists specifiers with their addresses")
    for specifier, address in table.items():
        if not specifier or not isinstance(address, str):
            raise _no_map("a specifier and its address are texts that are not empty")
        if specifier.endswith("/") != address.endswith("/"):
            raise _no_map(f"{specifier[:80]!r} and its address both end with a slash, or neither does")
        _check_local(address)


def _check_local(address: str) -> None:
    path = address.removeprefix("./")
    file = path if path and not path.endswith("/") else f"{path}x.js"  # "./" is the whole application
    if not address.startswith("./") or fault_of_path(file):
        raise _no_map(f"{address[:80]!r} is no path of the application such as ./src/main.js or ./src/")


def _no_map(why: str) -> InvalidInput:
    return InvalidInput({SPECIFIERS: [f"{SPECIFIERS} cannot be used: {why}."]})
