"""The HTTP binding of CloudEvents 1.0, strictly: binary, structured, batch; and bare CDEvents, one or many."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote_to_bytes

from core.canonical import canonical_json
from core.errors import DomainError
from events.cdevents.codec import InvalidEvent, check_cloudevent
from events.models.received import Mode

BARE, STRUCTURED, BATCH = "application/json", "application/cloudevents+json", "application/cloudevents-batch+json"
CONTENT_TYPES = (BARE, STRUCTURED, BATCH)
MAX_BATCH = 500
MAX_DEPTH = 100
_BLANK = re.compile(r"[ \t\r\n]*")


class Unreadable(InvalidEvent):
    """The message is no JSON, or no CloudEvent."""

    code = "unreadable"


class TooMany(InvalidEvent):
    """The batch is longer than MAX_BATCH."""

    status = 413
    code = "too_many_events"


@dataclass(frozen=True, slots=True)
class Item:
    """One event or link of a message: its text as it came, and what it holds, or why nothing could be read from it."""

    mode: str
    raw: str
    body: Any = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    problem: DomainError | None = None
    whole: bool = False  # it is the message: no member of a list


def read_message(content_type: str, headers: Mapping[str, str], content: bytes) -> list[Item]:
    """The items of a message: one that is `whole`, or the members of a list.

    An item that cannot be read has a `problem`; a list that cannot be taken apart is one such item. TooMany for too long
    a list.

    `content_type` is one of CONTENT_TYPES, without parameters; `headers` are those of the request, in any case.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        fault = Unreadable("This is not UTF-8.")
        return [
            Item(_mode(content_type, headers), content.decode("utf-8", "backslashreplace"), problem=fault, whole=True)
        ]
    if content_type == BATCH:
        return _many(text, Mode.BATCH)
    if content_type == STRUCTURED:
        return [replace(_item(Mode.STRUCTURED, text, text.strip()), whole=True)]
    attributes = ce_headers(headers)
    if attributes:
        return [replace(_binary(attributes, text), whole=True)]
    if text.lstrip(" \t\r\n").startswith("["):
        return _many(text, Mode.BARE)
    return [replace(_item(Mode.BARE, text, text.strip()), whole=True)]


def read_item(mode: str, raw: str, attributes: Mapping[str, str]) -> Item:
    """One item again, from what was kept of it."""
    if mode == Mode.BINARY:
        return _binary(attributes, raw)
    return _item(mode, raw, raw.strip())


def _mode(content_type: str, headers: Mapping[str, str]) -> str:
    by_type = {BATCH: Mode.BATCH, STRUCTURED: Mode.STRUCTURED}
    return by_type.get(content_type, Mode.BINARY if ce_headers(headers) else Mode.BARE)


def ce_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of binary mode, their names without ce- and in lower case."""
    return {name.lower()[3:]: value for name, value in headers.items() if name.lower().startswith("ce-")}


def _many(text: str, mode: str) -> list[Item]:
    try:
        parts = list(_split(text))
    except ValueError as error:
        return [Item(mode, text, problem=Unreadable(f"This is no list in JSON: {str(error)[:200]}."), whole=True)]
    if len(parts) > MAX_BATCH:
        raise TooMany(f"Send at most {MAX_BATCH} events at a time; these are {len(parts)}.")
    return [_item(mode, part, part) for part in parts]


def _split(text: str) -> Iterator[str]:
    """The texts of the members of a JSON list. Each is read again by itself, so that one bad one spoils no other."""
    place = _blank(text, 0)
    if text[place : place + 1] != "[":
        raise ValueError("it does not begin with [")
    place = _blank(text, place + 1)
    if text[place : place + 1] == "]":
        return _end(text, place + 1)
    while True:
        begin = place
        try:
            _, place = json.JSONDecoder().raw_decode(text, begin)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        yield text[begin:place]
        place = _blank(text, place)
        if text[place : place + 1] == "]":
            return _end(text, place + 1)
        if text[place : place + 1] != ",":
            raise ValueError(f"a comma is missing at {place}")
        place = _blank(text, place + 1)


def _blank(text: str, place: int) -> int:
    match = _BLANK.match(text, place)
    return match.end() if match else place


def _end(text: str, place: int) -> None:
    if text[place:].strip(" \t\r\n"):
        raise ValueError("something follows its end")


def _item(mode: str, raw: str, text: str) -> Item:
    try:
        body = read_json(text)
        if mode == Mode.STRUCTURED or (mode == Mode.BATCH and not _is_link(body)):
            body = _opened(body)
    except DomainError as error:
        return Item(mode, raw, problem=error)
    return Item(mode, raw, body)


def _is_link(body: Any) -> bool:
    """A separate link object has no envelope, wherever it comes."""
    return isinstance(body, dict) and "linkType" in body and "specversion" not in body


def _binary(attributes: Mapping[str, str], text: str) -> Item:
    try:
        envelope = {name: _header_value(name, value) for name, value in attributes.items()}
        check_cloudevent(envelope)
        body = read_json(text)
        _check_agreement(envelope, body)
    except DomainError as error:
        return Item(Mode.BINARY, text, attributes=dict(attributes), problem=error)
    return Item(Mode.BINARY, text, body, dict(attributes))


def _header_value(name: str, value: str) -> str:
    """One value as the binding writes it: maybe in quotes, percent-encoded once, in UTF-8."""
    value = value.strip(" \t")
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        # Servers hand headers on as Latin-1; whoever wrote UTF-8 into one is understood.
        return unquote_to_bytes(value.encode("latin-1")).decode("utf-8")
    except UnicodeError:
        raise Unreadable(f"The header ce-{name[:40]} is not UTF-8.", field=f"ce-{name[:40]}") from None


def _opened(envelope: Any) -> Any:
    """The CDEvent in a structured CloudEvent; attributes that are null count as absent."""
    if not isinstance(envelope, dict):
        raise Unreadable("A CloudEvent is a JSON object.")
    envelope = {name: value for name, value in envelope.items() if value is not None or name == "data"}
    check_cloudevent(envelope)
    body = _decoded(envelope["data_base64"]) if "data_base64" in envelope else envelope.get("data")
    _check_agreement(envelope, body)
    return body


def _decoded(text: str) -> Any:
    try:
        return read_json(base64.b64decode(text, validate=True).decode("utf-8"))
    except (binascii.Error, ValueError):
        raise Unreadable("data_base64 is no JSON in UTF-8 as Base64.", field="data_base64") from None


def _check_agreement(envelope: Mapping[str, Any], body: Any) -> None:
    """The envelope says the same as the CDEvent in it."""
    context = body.get("context") if isinstance(body, dict) else None
    if not isinstance(context, dict):
        raise InvalidEvent("The data of the CloudEvent is no CDEvent: it has no context.", field="context")
    for name in ("id", "source", "type"):
        if envelope[name] != context.get(name):
            raise InvalidEvent(
                f"{name} is {str(envelope[name])[:100]!r} in the CloudEvent and {str(context.get(name))[:100]!r} in "
                "its context. They have to be the same.",
                code="envelope_mismatch",
                field=name,
            )


def read_json(text: str) -> Any:
    """RFC 8259 without what cannot be kept: NaN, names given twice, lone surrogates, NUL, endless nesting."""
    try:
        value, end = _DECODER.raw_decode(text)
        if text[end:].strip(" \t\r\n"):
            raise ValueError("something follows its end")
        canonical_json(value).encode()
    except RecursionError:
        raise Unreadable("This JSON is nested too deeply.") from None
    except ValueError as error:
        raise Unreadable(f"This is not JSON: {str(error)[:200]!a}.") from None
    for depth, inner in _walk(value):
        if depth > MAX_DEPTH:
            raise Unreadable("This JSON is nested too deeply.")
        if isinstance(inner, str) and "\x00" in inner:
            raise Unreadable("A text has a NUL character (\\u0000), which cannot be kept.")
    return value


def _walk(value: Any) -> Iterator[tuple[int, Any]]:
    """Everything in a value, names included, with how deep it lies."""
    depth, level = 1, [value]
    while level:
        yield from ((depth, inner) for inner in level)
        level = [inner for outer in level for inner in _members(outer)]
        depth += 1


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name is given twice in one object")
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
