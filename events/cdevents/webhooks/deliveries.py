"""The life of a webhook's delivery: kept once, quickly; mapped and received in the background."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction

from accounts.models import User
from core.canonical import digest_of
from core.clock import now
from core.doorbell import ring_on_commit
from core.errors import DomainError
from core.failpoints import failpoint
from events.cdevents.cloudevents import Item, read_json
from events.cdevents.codec import check_event
from events.cdevents.letters import bury
from events.cdevents.mentions import find_mentions
from events.cdevents.receiving import ACCEPTED, DUPLICATE, Incoming, Outcome, receive
from events.cdevents.references import texts_naming_tickets
from events.cdevents.webhooks.github import map_github
from events.cdevents.webhooks.gitlab import map_gitlab
from events.cdevents.webhooks.jira import map_jira
from events.cdevents.webhooks.mapping import Delivery, Mapped, Mapper, Payload
from events.models import EventSource, InboundDelivery, InboundState, SourceKind
from events.models.received import Mode

log = structlog.get_logger(__name__)

MAPPERS: dict[str, Mapper] = {
    SourceKind.GITHUB: map_github, SourceKind.GITLAB: map_gitlab, SourceKind.JIRA: map_jira
}  # fmt: skip
TASK = "events.process_delivery"
ATTEMPTS = 5
SEEN_EVERY = dt.timedelta(minutes=1)
# Whose header names the delivery, in the order in which they are believed; and that which names the event.
_IDS = {
    SourceKind.GITHUB: ("X-GitHub-Delivery",),
    SourceKind.GITLAB: ("Idempotency-Key", "webhook-id", "X-Gitlab-Event-UUID"),
    SourceKind.JIRA: ("X-Atlassian-Webhook-Identifier",),
}
_EVENTS = {SourceKind.GITHUB: "X-GitHub-Event", SourceKind.GITLAB: "X-Gitlab-Event", SourceKind.JIRA: ""}


@transaction.atomic
def keep_delivery(*, source: EventSource, headers: Mapping[str, str], body: str) -> InboundDelivery | None:
    """Keep a delivery whose signature was found good, and ring for it; None when it was kept before.

    Without an id of the sender's the content itself tells a repetition.
    """
    kind = SourceKind(source.kind)
    given = next((value for name in _IDS[kind] if (value := headers.get(name, ""))), "")
    body = body.replace("\x00", "\\x00")
    row, made = InboundDelivery.objects.get_or_create(
        source=source,
        delivery_id=_plain(given, 200) or f"sha256:{digest_of(body)}",
        defaults={
            "event": _plain(headers.get(_EVENTS[kind], ""), 100) if _EVENTS[kind] else "",
            "body": body,
            "received_at": now(),
        },
    )
    if source.last_seen_at is None or now() - source.last_seen_at > SEEN_EVERY:
        EventSource.objects.filter(pk=source.pk).update(last_seen_at=now())
    if made:
        ring_on_commit(TASK, row.pk)
    return row if made else None


def _plain(text: str, most: int) -> str:
    return "".join(character for character in text if character.isprintable())[:most]


def process_delivery(*, delivery_id: int) -> str:
    """Map one kept delivery and receive its events; what became of it, "" when it is not due or someone else has it.

    A payload that cannot be mapped becomes a dead letter at once, an error of ours after five attempts.
    """
    try:
        with transaction.atomic():
            delivery = (
                InboundDelivery.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("source__tenant")
                .filter(pk=delivery_id, state=InboundState.QUEUED, next_at__lte=now())
                .first()
            )
            return _work_on(delivery) if delivery else ""
    except Exception as error:
        log.exception("webhook.failed", delivery=delivery_id)
        return _postpone(delivery_id, error)


def _work_on(delivery: InboundDelivery) -> str:
    source = delivery.source
    try:
        mapped = map_delivery(source.kind, delivery.event, read_json(delivery.body), _told(delivery))
    except DomainError as refusal:
        bury(_item(delivery), refusal, tenant=source.tenant, by=None, delivery=delivery)
        return _finish(delivery, InboundState.DEAD, refusal.message)
    failpoint("before_webhook_received")
    outcomes = _receive(mapped, delivery, by=None)
    return _finish(delivery, InboundState.DONE, summary_of(outcomes))


def _told(delivery: InboundDelivery) -> tuple[str, dt.datetime]:
    return delivery.delivery_id, delivery.received_at


def _item(delivery: InboundDelivery) -> Item:
    return Item(Mode.WEBHOOK, delivery.body)


def _receive(mapped: Sequence[Mapped], delivery: InboundDelivery, by: User | None) -> list[Outcome]:
    items = [Incoming(Item(Mode.WEBHOOK, json.dumps(each.body), each.body), each.heard) for each in mapped]
    return receive(items=items, tenant=delivery.source.tenant, by=by, webhook=delivery.source)


def summary_of(outcomes: Sequence[Outcome]) -> str:
    """What became of the events, in a few words."""
    if not outcomes:
        return "Nothing in it concerns us."
    counts = {status: sum(each.status == status for each in outcomes) for status in (ACCEPTED, DUPLICATE)}
    refused = len(outcomes) - sum(counts.values())
    told = [f"{number} {word}" for word, number in (*counts.items(), ("refused", refused)) if number]
    return ", ".join(told) + "."


def _finish(delivery: InboundDelivery, state: InboundState, note: str) -> str:
    delivery.state, delivery.note, delivery.done_at = state, note[:2000], now()
    delivery.attempts += 1
    delivery.save(update_fields=["state", "note", "done_at", "attempts"])
    return delivery.note


@transaction.atomic
def _postpone(delivery_id: int, error: Exception) -> str:
    delivery = InboundDelivery.objects.select_for_update(of=("self",)).select_related("source__tenant").get(
        pk=delivery_id
    )  # fmt: skip
    if delivery.state != InboundState.QUEUED:
        return ""
    delivery.attempts += 1
    delivery.note = f"{type(error).__name__}: {error}"[:2000]
    delivery.next_at = now() + dt.timedelta(seconds=10 * 2**delivery.attempts)
    if delivery.attempts >= ATTEMPTS:
        delivery.state, delivery.done_at = InboundState.DEAD, now()
        refusal = DomainError("An error of ours stopped it five times; the log tells which.", code="server_error")
        bury(_item(delivery), refusal, tenant=delivery.source.tenant, by=None, delivery=delivery)
    delivery.save(update_fields=["attempts", "note", "next_at", "state", "done_at"])
    return delivery.note


def replay_delivery(*, delivery: InboundDelivery, by: User) -> list[Outcome]:
    """Map and receive it again, in the name of who asks; the refusal of a payload that still cannot be mapped."""
    mapped = map_delivery(delivery.source.kind, delivery.event, read_json(delivery.body), _told(delivery))
    outcomes = _receive(mapped, delivery, by)
    _finish(delivery, InboundState.DONE, summary_of(outcomes))
    return outcomes


def due_deliveries(limit: int = 200) -> list[int]:
    """Those that no doorbell was heard for."""
    due = InboundDelivery.objects.filter(state=InboundState.QUEUED, next_at__lte=now())
    return list(due.order_by("next_at").values_list("pk", flat=True)[:limit])


def map_delivery(kind: str, event: str, payload: Any, told: tuple[str, dt.datetime]) -> list[Mapped]:
    """The events of a payload; Unmappable when it lacks what an event of its kind has."""
    return list(MAPPERS[SourceKind(kind)](Delivery(event, Payload(payload), *told)))


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What one event of a pasted payload would be: the event, its tickets, commands, and why it would be refused."""

    body: dict[str, Any]
    tickets: tuple[str, ...]
    unknown: tuple[str, ...]
    commands: list[dict[str, str]]
    fault: str


def rehearse(*, kind: str, event: str, payload: Any, tenant_id: int) -> list[Rehearsal]:
    """What a delivery with this payload would become; nothing is stored. Unmappable says what is missing."""
    mapped = map_delivery(kind, event, payload, ("dry-run", now()))
    texts = ["\n".join((*each.heard.texts, *texts_naming_tickets(each.body))) for each in mapped]
    found = find_mentions(tenant_id, texts)
    return [
        Rehearsal(each.body, names.tickets, names.unknown, each.heard.extras["commands"], _fault(each.body))
        for each, names in zip(mapped, found, strict=True)
    ]


def _fault(body: dict[str, Any]) -> str:
    try:
        check_event(body)
    except DomainError as refusal:
        return refusal.message
    return ""
