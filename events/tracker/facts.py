"""What the fact log is told of events, locks and the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from accounts.roles import Capability
from events.models import DomainEvent, Event, Lock
from events.services import append_all, compose
from events.tracker import vocabulary as words
from events.tracker.rights import Actor, person, tenant_numbered
from events.types import Audience, Subject

FACTS = (
    "event.recorded", "event.updated", "event.commented", "event.deleted", "event.imported", "event.forgotten",
    "lock.acquired", "lock.changed", "lock.released", "lock.lapsed",
    "catalog.entered", "catalog.updated", "catalog.deleted",
)  # fmt: skip
EVENT, EVENT_BATCH, LOCK, CATALOG = "event", "event_batch", "lock", "catalog_entry"
AUDIENCE = Audience(Capability.VIEW_EVENTS)


@dataclass(frozen=True, slots=True)
class Told:
    """A fact to be: gathered while rows are written, published at the end of the transaction."""

    type: str
    subject: Subject
    data: dict[str, Any]


def tell(tenant_id: int, by: Actor, told: Iterable[Told]) -> None:
    """Publish what was gathered; call it last in the transaction."""
    append_all([fact_of(tenant_id, by, one) for one in told])


def fact_of(tenant_id: int, by: Actor, told: Told) -> DomainEvent:
    """The fact as the log will have it."""
    assert told.type in FACTS, told.type
    return compose(
        type=told.type,
        subject=told.subject,
        tenant=tenant_numbered(tenant_id),
        by=person(by),
        data=told.data,
        audience=AUDIENCE,
    )


def about_event(type: str, event: Event, **data: Any) -> Told:
    return Told(type, Subject(EVENT, str(event.pk), event.title), {"event": summary(event), **data})


def about_lock(type: str, lock: Lock, **data: Any) -> Told:
    content = {
        "service": lock.service,
        "environment": lock.environment,
        "resource": lock.resource,
        "who": lock.who,
        "event": str(lock.event_id) if lock.event_id else None,
        "expires_at": lock.expires_at.isoformat() if lock.expires_at else None,
    }
    return Told(type, Subject(LOCK, str(lock.pk), str(lock)), {"lock": content, **data})


def summary(event: Event) -> dict[str, Any]:
    """What subscribers need to decide whether an event concerns them."""
    content = {
        "type": words.name_of(words.Type, event.type),
        "service": event.service,
        "environment": words.name_of(words.Environment, event.environment),
        "status": words.name_of(words.Status, event.status),
        "priority": words.name_of(words.Priority, event.priority),
        "ticket": event.ticket,
        "pull_request": event.pull_request_link,
        "related": str(event.related_id) if event.related_id else "",
        "source": event.source,
    }
    return {name: value for name, value in content.items() if value}
