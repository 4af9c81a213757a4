"""Our facts as CDEvents: which events a fact makes under a profile, and how they travel as CloudEvents.

What a fact says is in `words.py`; here it becomes bodies that keep to the schemas. Ids are made from the fact and the
type, so that whoever gets one twice can tell.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from core.canonical import utc_text
from core.errors import InvalidInput
from events.cdevents.names import TOOL, chain_of, event_id, source_of, ticket_address, ticket_domain_id
from events.cdevents.words import SAYINGS, Kind, Said, saying_of
from events.models import DomainEvent

CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
CUSTOM_VERSION = "0.1.0"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a subscriber understands: a version of CDEvents, and which kinds of events."""

    spec: str
    kinds: frozenset[Kind]


PROFILES = {
    "standard": Profile("0.5.1", frozenset({Kind.STANDARD, Kind.CUSTOM_APPROVAL})),
    "custom": Profile("0.5.1", frozenset({Kind.STANDARD, Kind.CUSTOM_APPROVAL, Kind.STATE})),
    "legacy": Profile("0.4.1", frozenset({Kind.STANDARD, Kind.CUSTOM_APPROVAL})),
    "draft": Profile("0.6.0-draft", frozenset({Kind.STANDARD, Kind.APPROVAL})),
    "draft-custom": Profile("0.6.0-draft", frozenset(Kind)),
}


def profile_named(name: str) -> Profile:
    """InvalidInput for a name that is none."""
    if name not in PROFILES:
        raise InvalidInput({"profile": [f"Choose one of: {', '.join(PROFILES)}."]})
    return PROFILES[name]


def emits(fact_type: str) -> bool:
    """Whether facts of this type say anything to the outside."""
    return fact_type in SAYINGS


def cdevents_of(fact: DomainEvent, *, profile: str = "standard") -> list[dict[str, Any]]:
    """The CDEvents that `fact` makes under the profile; none for what concerns only the inside.

    Load the fact's tenant with it. InvalidInput for an unknown profile.
    """
    chosen = profile_named(profile)
    bodies = [_body(fact, said, chosen) for said in saying_of(fact) if said.kind in chosen.kinds]
    return [as_of_0_4(body) for body in bodies] if chosen.spec == "0.4.1" else bodies


def type_of(said: Said) -> str:
    """The whole type string; that of a custom type names our tool."""
    standard = said.kind in {Kind.STANDARD, Kind.APPROVAL}
    return said.type if standard else f"dev.cdeventsx.{TOOL}-{said.type}.{CUSTOM_VERSION}"


def _body(fact: DomainEvent, said: Said, profile: Profile) -> dict[str, Any]:
    kind = type_of(said)
    context: dict[str, Any] = {
        "specversion": profile.spec,
        "id": event_id(fact, kind),
        "source": source_of(fact),
        "type": kind,
        "timestamp": utc_text(fact.occurred_at),
        "chainId": str(chain_of(fact, said.tickets)),
    }
    if said.tickets:
        context["links"] = [_link(fact, key, said.link_kind) for key in said.tickets]
    custom_data: dict[str, Any] = {
        "fact": {"type": fact.type, "sequence": fact.sequence, "id": str(fact.id)},
        "updater": fact.actor_label,
        "tickets": [{"key": key, "uri": ticket_address(fact, key)} for key in said.tickets],
    }
    return {
        "context": context,
        "subject": {"id": said.subject, "source": source_of(fact), "content": said.content},
        "customData": {TOOL: custom_data | said.custom_data},
        "customDataContentType": "application/json",
    }


def as_of_0_4(body: dict[str, Any]) -> dict[str, Any]:
    """The body as 0.4.1 had it: `context.version`, `subject.type`, and the events of the standard one version earlier."""
    context = dict(body["context"])
    prefix, subject, predicate, major, minor, patch = context["type"].rsplit(".", 5)
    if prefix == "dev.cdevents":
        context["type"] = f"{prefix}.{subject}.{predicate}.{major}.{int(minor) - 1}.{patch}"
        context["id"] = context["id"].rpartition("/")[0] + "/" + context["type"].removeprefix("dev.cdevents.")
    context = {"version": context.pop("specversion"), **context}
    return body | {"context": context, "subject": body["subject"] | {"type": subject}}


def _link(fact: DomainEvent, key: str, kind: str) -> dict[str, Any]:
    return {"linkType": "RELATION", "linkKind": kind, "target": {"domainId": str(ticket_domain_id(fact, key))}}


def as_cloudevent(body: dict[str, Any]) -> dict[str, Any]:
    """The body as a structured CloudEvent 1.0, for Content-Type application/cloudevents+json."""
    return {**_attributes(body), "datacontenttype": "application/json", "data": body}


# Printable ASCII stands for itself in a header, but for the space, the double quote and the percent sign.
_HEADER_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


def as_binary(body: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """The body as a CloudEvent in binary mode: its headers, and the bytes to send."""
    headers = {f"ce-{name}": quote(value, safe=_HEADER_SAFE) for name, value in _attributes(body).items()}
    return {**headers, "content-type": "application/json"}, json.dumps(body).encode()


def _attributes(body: dict[str, Any]) -> dict[str, str]:
    context = body["context"]
    return {
        "specversion": "1.0",
        "id": context["id"],
        "source": context["source"],
        "type": context["type"],
        "time": context["timestamp"],
        "subject": body["subject"]["id"],
    }
