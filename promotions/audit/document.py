"""A request's document as YAML: the same bytes for the same document, and a reader that trusts nobody.

The writer is our own because recorded files are compared byte for byte years later: no library may change them by an
upgrade. It knows only what the documents need, and everything doubtful is double-quoted as in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    NodeEvent,
    ScalarEvent,
)

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 20
MAX_KEY = 100

# By the name of the key that holds the mapping; keys that are not named here follow in alphabetical order.
_ORDER = {
    "": ("apiVersion", "kind", "metadata", "spec", "status"),
    "metadata": ("id", "createdAt", "createdBy", "tenant"),
    "spec": ("target", "request", "preChecks"),
    "target": ("type", "name", "version", "sourceEnvironment", "targetEnvironment"),
    "request": ("justification", "releaseNotes", "impactAssessment", "rollbackPlan", "scheduledDate"),
    "preChecks": ("stagingTestsPassed", "securityScanPassed", "performanceTestsPassed", "testEvidenceUrl"),
    "status": (
        "state", "history", "approvedBy", "approvedAt", "deployedAt", "rejectedBy", "rejectedAt", "rejectionReason",
    ),
    "breakGlass": (
        "by", "at", "reason", "reviewDueAt", "review", "objectedBy", "objectedAt", "objection",
    ),
    "history": ("action", "at", "by", "comment", "jobId", "deploymentId"),
}  # fmt: skip
_PLAIN_KEYS = {
    "apiVersion", "kind", "id", "createdBy", "tenant", "type", "name", "sourceEnvironment", "targetEnvironment",
    "impactAssessment", "state", "action", "by", "approvedBy", "rejectedBy", "rollbackOf",
    "review", "objectedBy",
}  # fmt: skip
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/@+-]*")
# What some YAML reader takes for something other than text.
_NOT_TEXT = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}
# Line breaks and invisible characters of which readers differ, beyond what JSON escapes.
_TO_ESCAPE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_UNFIT_FOR_BLOCK = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class BadDocument(ValueError):
    """It cannot be written, or is not as the audit trail writes it."""


def to_yaml(document: dict[str, Any]) -> bytes:
    """The document in the file's format: UTF-8, LF, fixed order of keys, text in quotes, several lines as a block."""
    return ("\n".join(_mapping_lines(document, "", 0)) + "\n").encode()


def _mapping_lines(mapping: dict[str, Any], name: str, indent: int) -> Iterator[str]:
    order = _ORDER.get(name, ())
    known = [key for key in order if key in mapping]
    for key in known + sorted(mapping.keys() - set(known)):
        yield from _entry_lines(key, mapping[key], indent)


def _entry_lines(key: str, value: Any, indent: int) -> Iterator[str]:
    if len(key) > MAX_KEY:
        raise BadDocument(f"The key {key[:40]!r}… is too long for YAML.")
    pad = " " * indent
    head = f"{pad}{key if _is_plain(key) else _quoted(key)}:"
    if isinstance(value, dict) and value:
        yield head
        yield from _mapping_lines(value, key, indent + 2)
    elif isinstance(value, list) and value:
        yield head
        for item in value:
            yield from _item_lines(item, key, indent + 2)
    elif isinstance(value, str) and _fits_block(value):
        yield f"{head} {'|' if value.endswith(chr(10)) else '|-'}"
        for line in value.removesuffix("\n").split("\n"):
            yield f"{pad}  {line}" if line else ""
    else:
        yield f"{head} {_scalar(value, plain=key in _PLAIN_KEYS)}"


def _item_lines(item: Any, name: str, indent: int) -> Iterator[str]:
    pad = " " * indent
    if isinstance(item, dict) and item:
        lines = _mapping_lines(item, name, indent + 2)
        yield f"{pad}- {next(lines)[indent + 2 :]}"
        yield from lines
    elif isinstance(item, list) and item:
        yield f"{pad}-"
        for inner in item:
            yield from _item_lines(inner, name, indent + 2)
    else:
        yield f"{pad}- {_scalar(item, plain=False)}"


def _scalar(value: Any, *, plain: bool) -> str:
    if isinstance(value, str):
        return value if plain and _is_plain(value) else _quoted(value)
    # Numbers, true, false, null, and empty collections are spelt alike in JSON and YAML.
    return json.dumps(value, allow_nan=False)


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and text.lower() not in _NOT_TEXT


def _quoted(text: str) -> str:
    return _TO_ESCAPE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


def _fits_block(text: str) -> bool:
    """Whether a block literal gives back exactly this text in every reader; quotes are always right."""
    return (
        "\n" in text
        and not text.startswith((" ", "\t", "\n"))
        and not text.endswith(("\n\n", " ", "\t"))
        and not any(line and not line.strip() for line in text.split("\n"))
        and not _UNFIT_FOR_BLOCK.search(text)
    )


def from_yaml(data: bytes) -> dict[str, Any]:
    """The document in `data`; BadDocument when it is too large or deep, uses anchors or tags, or is no mapping."""
    if len(data) > MAX_BYTES:
        raise BadDocument(f"The file has {len(data)} bytes; at most {MAX_BYTES} are read.")
    try:
        text = data.decode()
        _check_events(YAML(typ="safe", pure=True).parse(text))
        document = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadDocument(f"The file is not the YAML of a request: {error}") from error
    if not isinstance(document, dict):
        raise BadDocument("The file is not the YAML of a request: it holds no mapping.")
    return document


def _check_events(events: Iterator[Event]) -> None:
    depth = 0
    for event in events:
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
            raise BadDocument("Anchors and aliases are not used here.")
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag:
            raise BadDocument("Tags are not used here.")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise BadDocument(f"More than {MAX_DEPTH} levels deep.")
