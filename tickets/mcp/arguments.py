"""Arguments of a call against the tool's schema: exact in name and type, with a sentence for each fault."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from core.errors import InvalidInput

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_KINDS = {
    "string": "a text", "integer": "a whole number, without quotes", "boolean": "true or false, without quotes",
    "array": "a list", "object": "an object",
}  # fmt: skip
MOST_FAULTS = 20


def _is_integer(checker: Any, value: Any) -> bool:
    """JSON Schema also takes 1.0 for a whole number; our services do not."""
    return isinstance(value, int) and not isinstance(value, bool)


Exact = extend(Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer))


Test = Callable[[Any], bool]
_SAYS_NOTHING = {"type", "description", "default"}
_JUDGED = {
    "string": {"minLength", "maxLength", "enum"},
    "integer": {"minimum", "maximum"},
    "boolean": set(),
    "array": {"items", "maxItems"},
    "object": {"properties", "required", "additionalProperties"},
}  # type: dict[Any, set[str]]


def _never(value: Any) -> bool:
    return False


def plainly_right(schema: dict[str, Any]) -> Test:
    """A quick test that says yes only to what the schema takes; after a no the validator has to look.

    Most calls are right, and the validator takes longer for one than all else that is done to its arguments.
    """
    if set(schema) == {"anyOf"}:
        either = [plainly_right(one) for one in schema["anyOf"]]
        return lambda value: any(test(value) for test in either)
    kind = schema.get("type")
    if not isinstance(kind, str) or set(schema) - _SAYS_NOTHING - _JUDGED[kind]:
        return _never
    if kind == "object":
        return _right_object(schema)
    if kind == "array":
        most, item = schema.get("maxItems", math.inf), plainly_right(schema["items"])
        return lambda value: type(value) is list and len(value) <= most and all(map(item, value))
    if kind == "string":
        least, most, words = schema.get("minLength", 0), schema.get("maxLength", math.inf), schema.get("enum")
        return lambda value: type(value) is str and least <= len(value) <= most and (words is None or value in words)
    if kind == "integer":
        least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        return lambda value: type(value) is int and least <= value <= most
    return lambda value: type(value) is bool


def _right_object(schema: dict[str, Any]) -> Test:
    if schema.get("additionalProperties") is not False:
        return _never
    members = {name: plainly_right(piece) for name, piece in schema["properties"].items()}
    needed = set(schema.get("required", ()))
    return lambda value: (
        type(value) is dict
        and needed <= value.keys() <= members.keys()
        and all(members[name](inner) for name, inner in value.items())
    )


class Checker:
    """Checks calls of one tool."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.properties: dict[str, Any] = schema["properties"]
        self._validator = Exact(schema)
        self._is_right = plainly_right(schema)

    def check(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments with defaults filled in; InvalidInput names every field at fault."""
        try:
            errors: dict[str, list[str]] = {}
            if not self._is_right(arguments):
                errors = self._too_long(arguments) or _faults(self._validator.iter_errors(arguments))
            if not errors:
                _refuse_unstorable(arguments, "", errors)
        except RecursionError:
            errors = {"arguments": ["This is nested too deeply."]}
        if errors:
            raise InvalidInput(dict(list(errors.items())[:MOST_FAULTS]))
        usual = {name: piece["default"] for name, piece in self.properties.items() if "default" in piece}
        return usual | arguments

    def _too_long(self, arguments: dict[str, Any]) -> dict[str, list[str]]:
        """Lists that nobody should have to look through."""
        return {
            name: [f"At most {piece['maxItems']}; this has {len(arguments[name])}."]
            for name, piece in self.properties.items()
            if isinstance(arguments.get(name), list)
            and len(arguments[name]) > piece.get("maxItems", len(arguments[name]))
        }


def _faults(found: Iterable[ValidationError]) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for fault in found:
        for field, sentence in _told(fault):
            errors.setdefault(field, []).append(sentence)
        if len(errors) > MOST_FAULTS:
            break
    return errors


def _told(fault: ValidationError) -> list[tuple[str, str]]:
    """Field and sentence; members that are missing or unknown are fields themselves."""
    place, value = _place(fault.absolute_path), cast(Any, fault.instance)
    # Anything may stand in a schema, as far as types go; ours are all of the plain kind.
    limit, schema = cast(Any, fault.validator_value), cast(dict[str, Any], fault.schema)
    if fault.validator == "required":
        return [(_join(place, name), "Missing. Give it.") for name in limit if name not in value][:MOST_FAULTS]
    if fault.validator == "additionalProperties":
        known = schema.get("properties", {})
        told = f"Unknown. Known: {', '.join(known)}." if known else "Unknown. This takes no arguments."
        return [(_join(place, str(name)[:60]), told) for name in value if name not in known][:MOST_FAULTS]
    sentences = {
        "type": lambda: f"Give {_kinds(limit)}.",
        "enum": lambda: f"Choose one of: {', '.join(map(str, limit))}.",
        "minLength": lambda: "Give a text; this is empty.",
        "maxLength": lambda: f"At most {limit} characters; this has {len(value)}.",
        "minimum": lambda: f"At least {limit}.",
        "maximum": lambda: f"At most {limit}.",
        "maxItems": lambda: f"At most {limit}; this has {len(value)}.",
        "minItems": lambda: f"At least {limit}.",
        "pattern": lambda: f"Not as described: {schema.get('description', limit)}",
        "anyOf": lambda: 'Give a worker type, or {"stage": …, "gate": true}.',
    }
    told = sentences.get(str(fault.validator), lambda: "Not as described.")()
    return [(place or "arguments", told)]


def _kinds(kinds: str | list[str]) -> str:
    return " or ".join(_KINDS.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _place(path: Iterable[str | int]) -> str:
    place = ""
    for part in path:
        place = f"{place}[{part}]" if isinstance(part, int) else _join(place, part)
    return place


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _refuse_unstorable(value: Any, place: str, errors: dict[str, list[str]]) -> None:
    """Texts that are no characters at all: NUL, and halves of pairs."""
    if isinstance(value, str) and _UNSTORABLE.search(value):
        errors.setdefault(place, []).append("Remove the control characters; they cannot be kept.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _refuse_unstorable(inner, _join(place, name), errors)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_unstorable(inner, f"{place}[{index}]", errors)
