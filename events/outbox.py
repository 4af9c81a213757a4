"""From facts to deliveries, and deliveries to their channels: at least once, retried with back-off, never lost."""

from __future__ import annotations

import datetime as dt
import fnmatch
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F, QuerySet

from core.clock import now
from core.context import acting_through
from core.doorbell import ring
from core.failpoints import failpoint
from core.plugins import load_callable
from events import channel_health
from events.models import Delivery, DeliveryState, DispatchCursor, DomainEvent
from events.notifiers.base import Notifier
from events.types import DeliveryFailed, DeliveryRefused

log = structlog.get_logger(__name__)

ROUTE_BATCH = 500
CLAIMED_AT_ONCE = 20
# Longer than any handler takes; whoever dies while sending is followed by another after it.
LEASE = dt.timedelta(seconds=45)
FIRST_RETRY_SECONDS = 2.0

Handler = Callable[[Delivery], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Channel:
    """One subscriber of facts, as the SUBSCRIBERS setting describes it.

    `notifier` is a class (see events/notifiers/base.py) made with `options`; or `handler(delivery)` tells one recipient
    of one fact and may return a receipt, and `recipients(fact)` names who is told (default: one nameless recipient).
    `but_not` takes facts out that `facts` let in. An `ordered` channel is served strictly in the order of the facts, one
    at a time. `after(fact)` is called once the delivery is on record as done (and may be missed in a crash: only for
    doorbells). `attempts` is how often it is tried before a person must look (None: for ever); `longest_wait` in seconds.
    """

    name: str
    facts: tuple[str, ...]
    handler: str = ""
    recipients: str = ""
    notifier: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    but_not: tuple[str, ...] = ()
    after: str = ""
    ordered: bool = False
    attempts: int | None = 12
    longest_wait: float = 900

    def wants(self, fact_type: str) -> bool:
        return _matches(fact_type, self.facts) and not _matches(fact_type, self.but_not)

    def recipients_of(self, fact: DomainEvent) -> list[str]:
        if self.notifier:
            return self._load_notifier().recipients(fact)
        return list(load_callable(self.recipients)(fact)) if self.recipients else [""]

    def load_handler(self) -> Handler:
        handler: Handler = self._load_notifier().send if self.notifier else load_callable(self.handler)
        return handler

    def _load_notifier(self) -> Notifier:
        notifier: Notifier = load_callable(self.notifier)(**self.options)
        return notifier


def _matches(fact_type: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(fact_type, pattern) for pattern in patterns)


@cache
def channels() -> dict[str, Channel]:
    """All channels of the SUBSCRIBERS setting, by name."""
    return {name: Channel(name=name, **options) for name, options in settings.SUBSCRIBERS.items()}


def route_facts() -> set[str]:
    """Turn facts that were not routed yet into deliveries; the names of the channels that got some.

    Cursor and deliveries move in one transaction, so a crash routes again and `delivery_once` drops the doubles.
    """
    touched: set[str] = set()
    while True:
        routed, names = _route_batch()
        touched |= names
        if routed < ROUTE_BATCH:
            return touched


@transaction.atomic
def _route_batch() -> tuple[int, set[str]]:
    DispatchCursor.objects.get_or_create(pk=1)
    cursor = DispatchCursor.objects.select_for_update(skip_locked=True).filter(pk=1).first()
    if cursor is None:  # another dispatcher is at it
        return 0, set()
    facts = list(DomainEvent.objects.filter(sequence__gt=cursor.position).order_by("sequence")[:ROUTE_BATCH])
    if not facts:
        return 0, set()
    deliveries = [
        delivery
        for fact in facts
        for channel in channels().values()
        if channel.wants(fact.type)
        for delivery in _deliveries_of(fact, channel)
    ]
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    DispatchCursor.objects.filter(pk=1).update(position=facts[-1].sequence, moved_at=now())
    failpoint("before_route_commit")
    return len(facts), {delivery.channel for delivery in deliveries}


def _deliveries_of(fact: DomainEvent, channel: Channel) -> list[Delivery]:
    """One for each recipient; when a channel cannot say who they are, a dead letter tells, and no other channel waits."""
    try:
        return [Delivery(fact=fact, channel=channel.name, recipient=name) for name in channel.recipients_of(fact)]
    except DatabaseError:  # the transaction is lost: all is routed again
        raise
    except Exception as error:
        log.exception("route.recipients_unknown", channel=channel.name, fact=fact.sequence)
        reason = f"Nobody could say who is told: {error or type(error).__name__}"
        return [Delivery(fact=fact, channel=channel.name, state=DeliveryState.DEAD, last_error=reason)]


def due_channels() -> set[str]:
    """The channels that have something to deliver now.

    On an ordered channel also what someone is sending: if that one is alive, its lock turns us away, and if it died, nobody
    has to wait until its lease runs out.
    """
    ordered = [channel.name for channel in channels().values() if channel.ordered]
    being_sent = Delivery.objects.filter(channel__in=ordered, state=DeliveryState.SENDING)
    return {name for found in (Delivery.objects.due(), being_sent) for name in _names(found)}


def _names(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery, str]:
    return deliveries.order_by().values_list("channel", flat=True).distinct()


def ring_channels(names: set[str]) -> None:
    """Wake a worker for each channel."""
    for name in sorted(names):
        ring("events.deliver", name)


def deliver_channel(name: str, *, limit: int = 200) -> int:
    """Attempt what is due on the channel, at most `limit`; how many were done."""
    channel = channels().get(name)
    if channel is None:
        return _bury_orphans(name)
    if channel.ordered:
        return _deliver_in_order(channel, limit)
    return _deliver_in_any_order(channel, limit)


def _deliver_in_any_order(channel: Channel, limit: int) -> int:
    """Attempt one after the other; stop when the channel as a whole turns out to be down."""
    if not channel_health.may_try(channel.name):
        return 0
    done = attempted = 0
    while attempted < limit and (claimed := _claim(channel, min(CLAIMED_AT_ONCE, limit - attempted))):
        attempted += len(claimed)
        while claimed:
            outcome = _attempt(channel, claimed.pop(0))
            if outcome is Outcome.DONE and not done:
                channel_health.note_up(channel.name)
            done += outcome is Outcome.DONE
            if outcome is Outcome.DOWN or _is_running_out(claimed):
                _give_back(claimed)
                return done
    return done


def _bury_orphans(name: str) -> int:
    Delivery.objects.filter(channel=name).due().update(
        state=DeliveryState.DEAD, last_error=f"The channel {name!r} is no longer configured.", lease_until=None
    )
    return 0


def _claim(channel: Channel, count: int) -> list[Delivery]:
    """Take the next due deliveries by a lease; nobody else gets them until the lease ends."""
    until = now() + LEASE
    with transaction.atomic():
        claimed = list(
            Delivery.objects.filter(channel=channel.name)
            .due()
            .order_by("next_at", "id")
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("fact__tenant")[:count]
        )
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in claimed]).update(
            state=DeliveryState.SENDING, attempts=F("attempts") + 1, lease_until=until
        )
    for delivery in claimed:
        delivery.state, delivery.lease_until = DeliveryState.SENDING, until
        delivery.attempts += 1
    return claimed


def _is_running_out(claimed: list[Delivery]) -> bool:
    """Whether the lease might end while the next one is being sent, so that someone else would send it too."""
    return any(delivery.lease_until is None or delivery.lease_until - now() < LEASE / 2 for delivery in claimed)


def _give_back(claimed: list[Delivery]) -> None:
    """What was claimed and not tried waits for the next worker as if nothing had been."""
    Delivery.objects.filter(
        pk__in=[delivery.pk for delivery in claimed],
        state=DeliveryState.SENDING,
        lease_until__in={delivery.lease_until for delivery in claimed},
    ).update(state=DeliveryState.QUEUED, attempts=F("attempts") - 1, lease_until=None)


def _lease(delivery: Delivery) -> Delivery:
    delivery.state = DeliveryState.SENDING
    delivery.attempts += 1
    delivery.lease_until = now() + LEASE
    delivery.save(update_fields=["state", "attempts", "lease_until"])
    return delivery


def _deliver_in_order(channel: Channel, limit: int) -> int:
    """Serve an ordered channel alone; stop at the first delivery that is not due or fails."""
    done = 0
    with only_one(f"channel:{channel.name}") as mine:
        if not mine:
            return 0
        while done < limit:
            delivery = Delivery.objects.filter(channel=channel.name).unfinished().order_by("fact_id").first()
            if delivery is None or (delivery.state == DeliveryState.QUEUED and delivery.next_at > now()):
                break
            # The advisory lock proves that whoever held a lease is gone: no need to wait for it to run out.
            if _attempt(channel, _lease(delivery)) is not Outcome.DONE:
                break
            done += 1
    return done


@contextmanager
def only_one(name: str) -> Iterator[bool]:
    """A session lock by name: True for the one who has it; freed by the database when its holder dies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


class Outcome(Enum):
    """How an attempt ended: delivered, not this time (or never), or nothing gets through on this channel."""

    DONE = "done"
    FAILED = "failed"
    DOWN = "down"


def _attempt(channel: Channel, delivery: Delivery) -> Outcome:
    with acting_through("system", delivery.fact.request_id):
        return _attempt_under_its_request_id(channel, delivery)


def _attempt_under_its_request_id(channel: Channel, delivery: Delivery) -> Outcome:
    try:
        receipt = channel.load_handler()(delivery) or {}
    except DeliveryRefused as refusal:
        _bury(delivery, str(refusal))
    except Exception as error:
        _postpone(channel, delivery, error)
        if isinstance(error, DeliveryFailed) and error.channel_down:
            channel_health.note_down(channel.name, str(error))
            return Outcome.DOWN
    else:
        failpoint("before_delivery_done")
        _finish(delivery, receipt)
        if channel.after:
            load_callable(channel.after)(delivery.fact)
        return Outcome.DONE
    return Outcome.FAILED


def _mine(delivery: Delivery) -> Any:
    """Only the holder of the current attempt may record its end."""
    return Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.SENDING, attempts=delivery.attempts)


def _finish(delivery: Delivery, receipt: dict[str, Any]) -> None:
    _mine(delivery).update(state=DeliveryState.DONE, done_at=now(), lease_until=None, last_error="", receipt=receipt)


def _bury(delivery: Delivery, reason: str) -> None:
    _mine(delivery).update(state=DeliveryState.DEAD, lease_until=None, last_error=reason)
    log.error("delivery.dead", delivery=delivery.pk, channel=delivery.channel, reason=reason)


def _postpone(channel: Channel, delivery: Delivery, error: Exception) -> None:
    reason = str(error) or type(error).__name__
    if channel.attempts is not None and delivery.attempts >= channel.attempts:
        _bury(delivery, f"Given up after {delivery.attempts} attempts: {reason}")
        return
    wait = getattr(error, "retry_after", None) if isinstance(error, DeliveryFailed) else None
    if wait is None:
        wait = min(FIRST_RETRY_SECONDS * 2 ** (delivery.attempts - 1), channel.longest_wait) * random.uniform(0.8, 1.2)
    _mine(delivery).update(
        state=DeliveryState.QUEUED,
        next_at=now() + dt.timedelta(seconds=wait),
        lease_until=None,
        last_error=reason,
    )
    log.warning("delivery.postponed", delivery=delivery.pk, channel=channel.name, seconds=round(wait), reason=reason)


def retry_delivery(*, delivery: Delivery) -> None:
    """A person asks to try a dead (or waiting) delivery again now; a finished one stays as it is."""
    Delivery.objects.filter(pk=delivery.pk).exclude(state=DeliveryState.DONE).update(
        state=DeliveryState.QUEUED, next_at=now(), lease_until=None, attempts=F("attempts")
    )
    ring_channels({delivery.channel})
