"""What the fact log is told of what was received."""

from __future__ import annotations

import datetime as dt
from typing import Any

from accounts.models import Tenant, User
from accounts.roles import Capability
from core.canonical import utc_text
from events.cdevents.references import flat_link, links_of, references_of
from events.models import DeadLetter, DomainEvent, ReceivedEvent, ReceivedLink
from events.services import publish
from events.types import Audience, Subject

FACTS = ("event.received", "link.received", "dead_letter.replayed", "dead_letter.discarded", "received.forgotten")
EVENT, LINK, LETTER, BATCH = "cdevent", "cdevent_link", "dead_letter", "received_batch"
AUDIENCE = Audience(Capability.VIEW_EVENTS)
MAX_TAGS = 20


def tell_of_event(
    event: ReceivedEvent, *, by: User | None, tenant: Tenant, extras: dict[str, Any] | None = None
) -> DomainEvent:
    """`event.received`: what the event is, points at and names; `extras` is what a webhook told besides."""
    content = event.body["subject"].get("content")
    data = {
        "received": event.pk,
        "mode": event.mode,
        "event": {
            "id": event.event_id,
            "source": event.source,
            "type": event.type,
            "subject": event.subject,
            "predicate": event.predicate,
            "version": event.version,
            "custom": event.type.startswith("dev.cdeventsx."),
            "timestamp": utc_text(event.happened_at),
            "chain_id": event.chain_id,
        },
        "subject": {"id": event.subject_id, "source": event.subject_source},
        "references": references_of(event.body),
        "links": links_of(event.body),
        "tickets": event.tickets,
        "mentions": event.mentions,
        "outcome": str(content.get("outcome", ""))[:40] if isinstance(content, dict) else "",
        "commits": [],
        "commands": [],
        "verdict": "",
    }
    return publish(
        type="event.received",
        subject=Subject(EVENT, str(event.pk), str(event)),
        tenant=tenant,
        by=by,
        data=data | (extras or {}),
        audience=AUDIENCE,
    )


def tell_of_link(link: ReceivedLink, *, by: User | None, tenant: Tenant) -> DomainEvent:
    """`link.received`: both ends, the kind and the chain."""
    flat = flat_link(link.body)
    data = {
        "link": link.pk,
        "type": link.type,
        "chain_id": link.chain_id,
        "kind": link.kind,
        "source": flat.get("source", flat.get("from", {})),
        "target": flat.get("target", {}),
        "timestamp": utc_text(link.happened_at),
        "tags": flat.get("tags", {}),
    }
    return publish(
        type="link.received",
        subject=Subject(LINK, str(link.pk), str(link)),
        tenant=tenant,
        by=by,
        data=data,
        audience=AUDIENCE,
    )


def tell_of_letter(letter: DeadLetter, type: str, *, by: User, tenant: Tenant) -> DomainEvent:
    """`dead_letter.replayed` or `.discarded`."""
    data = {"code": letter.code, "type": letter.type, "source": letter.source, "event": letter.accepted_id}
    return publish(
        type=type,
        subject=Subject(LETTER, str(letter.pk), str(letter)),
        tenant=tenant,
        by=by,
        data=data,
        audience=AUDIENCE,
    )


def tell_of_forgotten(kind: str, count: int, before: dt.datetime, *, tenant: Tenant) -> DomainEvent:
    """`received.forgotten`: how many of which kind were deleted, and received before when."""
    return publish(
        type="received.forgotten",
        subject=Subject(BATCH, kind, f"{count} {kind}"),
        tenant=tenant,
        by=None,
        data={"kind": kind, "count": count, "received_before": utc_text(before)},
        audience=AUDIENCE,
    )
