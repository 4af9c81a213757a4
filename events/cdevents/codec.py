"""CDEvents against the vendored schemas: which one holds for an event, and what is wrong with it. Nothing is fetched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import DomainError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator
    from referencing import Registry

SCHEMAS = Path(__file__).with_name("schemas")
# The order in which they are tried: the newest release first. 0.5.0 is read by the schemas of 0.5.1.
VERSIONS = ("0.5.1", "0.6.0-draft", "0.4.1")
STANDARD, CUSTOM = "dev.cdevents.", "dev.cdeventsx."
LINK_TYPES = {"START": "linkstart", "PATH": "linkpath", "RELATION": "linkrelation", "END": "linkend"}
MAX_FAULTS = 10
_TYPE = re.compile(
    r"dev\.(?:cdevents|cdeventsx)\.([a-zA-Z0-9]+(?:-[a-zA-Z]+)?)\.([a-zA-Z]+)"
    r"\.((\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:-[a-z0-9.]{1,20})?)"
)


class InvalidEvent(DomainError):
    """The event does not keep to its schema."""

    code = "invalid_event"
    title = "This is not a valid CDEvent"


class UnknownType(InvalidEvent):
    """No version of CDEvents has the type."""

    code = "unknown_type"


@dataclass(frozen=True, slots=True)
class EventType:
    """A type string taken apart: subject and predicate are words, version is text."""

    full: str
    subject: str
    predicate: str
    version: str

    @property
    def custom(self) -> bool:
        return self.full.startswith(CUSTOM)

    @property
    def numbers(self) -> tuple[int, int]:
        """Major and minor."""
        major, minor, _ = self.version.split(".", 2)
        return int(major), int(minor)


def parse_type(text: object) -> EventType:
    """UnknownType unless it is spelled as types of CDEvents are."""
    match = _TYPE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise UnknownType(
            f"{str(text)[:100]!r} is no type of CDEvents. Use dev.cdevents.<subject>.<predicate>.<version>, or "
            "dev.cdeventsx.<tool>-<subject>.<predicate>.<version>.",
            field="context.type",
        )
    return EventType(str(text), match[1], match[2], match[3])


@dataclass(frozen=True, slots=True)
class Checked:
    """A valid event: its type, and what a reader should know of how far it could be checked."""

    type: EventType
    spec: str
    newer: bool = False
    unverified_schema: str = ""


def check_event(body: Any) -> Checked:
    """The event keeps to a schema of its type, of any version we know; InvalidEvent or UnknownType says what is wrong.

    A higher minor version of a type that we know is checked for its envelope only and called `newer`. A `schemaUri` is
    never fetched: it is said to be unverified.
    """
    context = body.get("context") if isinstance(body, dict) else None
    if not isinstance(context, dict):
        raise InvalidEvent("A CDEvent is an object with context and subject.", field="context")
    kind = parse_type(context.get("type"))
    spec, newer = _check_by_type(body, kind)
    return Checked(kind, spec, newer, str(context.get("schemaUri", "")))


def _check_by_type(body: dict[str, Any], kind: EventType) -> tuple[str, bool]:
    names = [(version, "custom") for version in VERSIONS] if kind.custom else _schemas_of().get(kind.full, [])
    if not names:
        return _check_newer(body, kind), True
    first: InvalidEvent | None = None
    for version, name in names:
        try:
            raise_faults(validator(version, name), body)
        except InvalidEvent as error:
            first = first or error
        else:
            return version, False
    assert first is not None
    raise first


def _check_newer(body: dict[str, Any], kind: EventType) -> str:
    known = [each for each in map(parse_type, _schemas_of()) if _same_kind(each, kind)]
    if not known:
        raise UnknownType(
            f"No version of CDEvents up to 0.6.0-draft has {kind.subject}.{kind.predicate} {kind.version}. "
            "Send it as a custom type (dev.cdeventsx.…), or have the schemas updated and play it again.",
            field="context.type",
        )
    if not any(kind.numbers > each.numbers for each in known):
        raise UnknownType(
            f"{kind.subject}.{kind.predicate} {kind.version} is too old; known: "
            f"{', '.join(sorted(each.version for each in known))}.",
            field="context.type",
        )
    raise_faults(_envelope(), body)
    return "newer"


def _same_kind(known: EventType, kind: EventType) -> bool:
    return (known.subject, known.predicate, known.numbers[0]) == (kind.subject, kind.predicate, kind.numbers[0])


def check_link(link: Any) -> str:
    """The type of a separate link object, which keeps to its schema; InvalidEvent says what is wrong."""
    name = LINK_TYPES.get(str(link.get("linkType"))) if isinstance(link, dict) else None
    if name is None:
        raise InvalidEvent(f"linkType has to be one of {', '.join(LINK_TYPES)}.", field="linkType")
    # The draft's schemas take everything that the older ones take, and domainIds besides.
    raise_faults(validator("0.6.0-draft", f"links/{name}"), link)
    return str(link["linkType"])


def raise_faults(checker: Validator, value: Any) -> None:
    faults = [_told(error) for error, _ in zip(_leaves(checker.iter_errors(value)), range(MAX_FAULTS), strict=False)]
    if faults:
        field, _ = faults[0]
        raise InvalidEvent(
            " ".join(dict.fromkeys(f"{place or 'The event'}: {text}." for place, text in faults))[:1000],
            field=field,
        )


def _leaves(errors: Iterator[Any]) -> Iterator[Any]:
    """Of alternatives (a link may be of three kinds), the faults of the nearest one."""
    for error in errors:
        nearest = _nearest(error.context) if error.context else []
        yield from nearest or [error]


def _nearest(faults: list[Any]) -> list[Any]:
    alternatives: dict[Any, list[Any]] = {}
    for fault in faults:
        alternatives.setdefault(fault.schema_path[0] if fault.schema_path else 0, []).append(fault)
    return min(alternatives.values(), key=len)


def _told(error: Any) -> tuple[str, str]:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    text = {
        "format": f"{str(error.instance)[:80]!r} is no {error.validator_value}",
        "pattern": f"{str(error.instance)[:80]!r} does not look like {error.validator_value}",
    }.get(error.validator, error.message)
    return place[:200], text[:300]


@cache
def _schemas_of() -> dict[str, list[tuple[str, str]]]:
    """Per type string, the schemas (version, name) that describe it, newest release first."""
    found: dict[str, list[tuple[str, str]]] = {}
    for version in VERSIONS:
        for name, schema in _documents(version).items():
            kind = schema["properties"].get("context", {}).get("properties", {}).get("type", {}) if _has(schema) else {}
            for text in kind.get("enum", []):
                found.setdefault(text, []).append((version, name))
    return found


def _has(schema: dict[str, Any]) -> bool:
    return isinstance(schema.get("properties"), dict)


def known_types() -> list[str]:
    """Every standard type string of every version we know."""
    return list(_schemas_of())


@cache
def _documents(version: str) -> dict[str, dict[str, Any]]:
    """The schemas of a version by name: events by file name, links as links/…, and custom."""
    folder = SCHEMAS / version / "schemas"
    paths = {path.stem: path for path in sorted(folder.glob("*.json"))}
    paths |= {f"links/{path.stem}": path for path in sorted((folder / "links").glob("*.json"))}
    paths["custom"] = SCHEMAS / version / "custom" / "schema.json"
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items()}


@cache
def _registry(version: str) -> Registry[Any]:
    """Every schema under its own $id: references are found here or nowhere."""
    from referencing import Registry, Resource

    resources = [Resource.from_contents(schema) for schema in _documents(version).values()]
    return Registry().with_resources((str(resource.id()), resource) for resource in resources)


@cache
def validator(version: str, name: str) -> Validator:
    """The schema, ready to check; made when it is first needed."""
    from jsonschema import Draft202012Validator

    from events.cdevents.formats import CHECKER

    return Draft202012Validator(_documents(version)[name], registry=_registry(version), format_checker=CHECKER)


@cache
def _envelope() -> Validator:
    """What holds for every event: a schema of the newest version without the subject's own content."""
    from jsonschema import Draft202012Validator

    from events.cdevents.formats import CHECKER

    schema = json.loads(json.dumps(_documents("0.6.0-draft")["custom"]))
    schema["properties"]["context"]["properties"]["type"].pop("pattern")
    schema["properties"]["context"].pop("additionalProperties")
    schema["properties"]["subject"].pop("additionalProperties")
    schema.pop("additionalProperties")
    return Draft202012Validator(schema, registry=_registry("0.6.0-draft"), format_checker=CHECKER)


@cache
def _cloudevent() -> Validator:
    """The JSON schema of CloudEvents 1.0, in our own words."""
    from jsonschema import Draft202012Validator

    from events.cdevents.formats import CHECKER

    schema = json.loads((SCHEMAS / "cloudevents-1.0.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=CHECKER)


def check_cloudevent(envelope: Any) -> None:
    """The envelope keeps to CloudEvents 1.0; InvalidEvent says what is wrong."""
    raise_faults(_cloudevent(), envelope)
