"""Receiving: each item of a message is stored once with its fact, or becomes a dead letter; all in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.db import connection, models, transaction

from accounts.models import Tenant, User
from core.canonical import digest_of
from core.clock import now
from core.errors import Conflict, DomainError
from core.failpoints import failpoint
from core.sql import run
from events.cdevents.cloudevents import Item
from events.cdevents.codec import Checked, InvalidEvent, check_event, check_link
from events.cdevents.facts import tell_of_event, tell_of_link
from events.cdevents.formats import parse_moment
from events.cdevents.letters import bury
from events.cdevents.mentions import Mentions, find_mentions
from events.cdevents.permissions import check_can_record
from events.cdevents.references import texts_naming_tickets
from events.models import DeadLetter, EventSource, ReceivedEvent, ReceivedLink

ACCEPTED, DUPLICATE, REJECTED = "accepted", "duplicate", "rejected"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a webhook tells beside the event: texts that may name tickets, and extras for the fact."""

    texts: tuple[str, ...] = ()
    extras: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One item with what was heard besides."""

    item: Item
    heard: Heard = field(default_factory=Heard)


@dataclass(slots=True)
class Outcome:
    """What became of one item: accepted or a duplicate with its row, or rejected with the refusal and its dead letter."""

    status: str
    event: ReceivedEvent | None = None
    link: ReceivedLink | None = None
    refusal: DomainError | None = None
    letter: DeadLetter | None = None


class IdReused(Conflict):
    """The source gave this id to another event before."""

    code = "id_reused"


@dataclass(frozen=True, slots=True)
class Receiver:
    """For whom, by whom and through which webhook it is received."""

    tenant: Tenant
    by: User | None
    webhook: EventSource | None = None


@transaction.atomic
def receive(
    *, items: Sequence[Incoming], tenant: Tenant, by: User | None, webhook: EventSource | None = None, keep: bool = True
) -> list[Outcome]:
    """Store what is valid, once per (source, id), and bury the rest; one outcome per item, in their order.

    Leaves one `event.received` or `link.received` for each that is new. A repetition with the same content is a
    duplicate; with another content it is rejected (id_reused). Without `keep` nothing is buried. NotAllowed unless `by`
    may record events in the tenant. All or nothing under a crash, so a sender may repeat the whole.
    """
    if by is not None:
        check_can_record(by, tenant)
    receiver = Receiver(tenant, by, webhook)
    outcomes = [_prepare(incoming, receiver) for incoming in items]
    _name_tickets(outcomes, items, tenant)
    _store(outcomes)
    failpoint("before_letters")
    if keep:
        for outcome, incoming in zip(outcomes, items, strict=True):
            if outcome.refusal is not None:
                outcome.letter = bury(incoming.item, outcome.refusal, tenant=tenant, by=by)
    for outcome, incoming in zip(outcomes, items, strict=True):
        if outcome.status == ACCEPTED and outcome.event is not None:
            tell_of_event(outcome.event, by=by, tenant=tenant, extras=incoming.heard.extras)
        elif outcome.status == ACCEPTED and outcome.link is not None:
            tell_of_link(outcome.link, by=by, tenant=tenant)
    failpoint("before_receive_commit")
    return outcomes


def _prepare(incoming: Incoming, receiver: Receiver) -> Outcome:
    """The row to be, not stored yet; or the refusal."""
    item = incoming.item
    try:
        if item.problem is not None:
            raise item.problem
        if isinstance(item.body, dict) and "linkType" in item.body and "context" not in item.body:
            return Outcome(ACCEPTED, link=_link(item, receiver))
        return Outcome(ACCEPTED, event=_event(item, check_event(item.body), receiver))
    except DomainError as refusal:
        return Outcome(REJECTED, refusal=refusal)


def _event(item: Item, checked: Checked, receiver: Receiver) -> ReceivedEvent:
    context, subject = item.body["context"], item.body["subject"]
    event = ReceivedEvent(
        tenant=receiver.tenant,
        source=context["source"],
        event_id=context["id"],
        type=checked.type.full,
        subject=checked.type.subject,
        predicate=checked.type.predicate,
        version=checked.type.version,
        subject_id=subject["id"],
        subject_source=str(subject.get("source", "")),
        chain_id=str(context.get("chainId", "")),
        happened_at=_moment(context["timestamp"], "context.timestamp"),
        body=item.body,
        raw=item.raw,
        attributes=dict(item.attributes),
        digest=digest_of(item.body),
        mode=item.mode,
        spec=checked.spec,
        unverified_schema=checked.unverified_schema,
        received_from=receiver.by,
        webhook=receiver.webhook,
        received_at=now(),
    )
    _check_lengths(event)
    return event


_PLACES = {"event_id": "context.id", "chain_id": "context.chainId", "unverified_schema": "context.schemaUri"}
_LENGTHS = [
    (each.name, each.max_length)
    for each in ReceivedEvent._meta.concrete_fields
    if each.max_length and each.name not in {"digest", "mode", "spec"}
]


def _check_lengths(event: ReceivedEvent) -> None:
    for name, most in _LENGTHS:
        if len(getattr(event, name)) > most:
            place = _PLACES.get(name, f"context.{name}" if name in {"source", "type"} else name)
            raise InvalidEvent(f"{place} is longer than {most} characters.", code="too_long", field=place)


def _moment(text: str, place: str) -> Any:
    moment = parse_moment(text)
    if moment is None:
        raise InvalidEvent(f"{place} is no date-time.", field=place)
    return moment


def _link(item: Item, receiver: Receiver) -> ReceivedLink:
    kind, body = check_link(item.body), item.body
    for name, most in (("chainId", 300), ("linkKind", 200)):
        if len(str(body.get(name, ""))) > most:
            raise InvalidEvent(f"{name} is longer than {most} characters.", code="too_long", field=name)
    return ReceivedLink(
        tenant=receiver.tenant,
        type=kind,
        kind=str(body.get("linkKind", "")),
        chain_id=body["chainId"],
        happened_at=_moment(body["timestamp"], "timestamp"),
        body=body,
        digest=digest_of(body),
        received_from=receiver.by,
        received_at=now(),
    )


def _name_tickets(outcomes: Sequence[Outcome], items: Sequence[Incoming], tenant: Tenant) -> None:
    """Write into each event the tickets that it names; one look-up for all."""
    events = [(each.event, one.heard) for each, one in zip(outcomes, items, strict=True) if each.event is not None]
    texts = ["\n".join((*heard.texts, *texts_naming_tickets(event.body))) for event, heard in events]
    found: list[Mentions] = find_mentions(tenant.pk, texts) if any(texts) else [Mentions() for _ in texts]
    for (event, _), mentions in zip(events, found, strict=True):
        event.tickets, event.mentions = list(mentions.tickets), list(mentions.unknown)


def _store(outcomes: Sequence[Outcome]) -> None:
    """Insert the rows; sorted, so that two messages with the same events never wait for each other in a circle."""
    events = [each for each in outcomes if each.event is not None]
    for outcome in sorted(events, key=lambda each: (each.event.source, each.event.event_id) if each.event else ()):
        _store_event(outcome)
    links = [each for each in outcomes if each.link is not None]
    for outcome in sorted(links, key=lambda each: each.link.digest if each.link else ""):
        _store_link(outcome)


def _store_event(outcome: Outcome) -> None:
    event = outcome.event
    assert event is not None
    if _inserted(event):
        return
    first = ReceivedEvent.objects.get(tenant_id=event.tenant_id, source=event.source, event_id=event.event_id)
    if first.digest == event.digest:
        outcome.status, outcome.event = DUPLICATE, first
        return
    outcome.status, outcome.event = REJECTED, None
    outcome.refusal = IdReused(
        f"The source {event.source[:100]} sent another event with the id {event.event_id[:100]} before. Ids are unique "
        "within their source.",
        field="context.id",
        details={"first": first.pk},
    )


def _store_link(outcome: Outcome) -> None:
    link = outcome.link
    assert link is not None
    if not _inserted(link):
        outcome.status = DUPLICATE
        outcome.link = ReceivedLink.objects.get(tenant_id=link.tenant_id, digest=link.digest)


def _inserted(row: ReceivedEvent | ReceivedLink) -> bool:
    """Whether the row is new; it then has its number."""
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in _columns(type(row))]
    numbers = run(_insert(type(row)), values)
    if numbers:
        row.pk, row._state.adding = numbers[0][0], False
    return bool(numbers)


def _columns(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if not field.primary_key]


@cache
def _insert(model: type[models.Model]) -> str:
    columns = _columns(model)
    names = ", ".join(f'"{field.column}"' for field in columns)
    places = ", ".join(["%s"] * len(columns))
    return f'INSERT INTO "{model._meta.db_table}" ({names}) VALUES ({places}) ON CONFLICT DO NOTHING RETURNING id'  # noqa: S608 (our own columns)
