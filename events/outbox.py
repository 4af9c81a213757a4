"""From facts to deliveries, and deliveries to their channels: at least once, retried with back-off, never lost."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F, QuerySet

from core.canonical import utc_text
from core.clock import now
from core.context import acting_through
from core.doorbell import ring
from core.failpoints import failpoint
from core.plugins import load_callable
from core.sql import run
from events import channel_health
from events.channels import Channel, Handler, channels, find_channel
from events.models import Delivery, DeliveryState, DispatchCursor, DomainEvent
from events.types import DeliveryFailed, DeliveryRefused

log = structlog.get_logger(__name__)

ROUTE_BATCH = 500
CLAIMED_AT_ONCE = 20
# Longer than any handler takes; whoever dies while sending is followed by another after it.
LEASE = dt.timedelta(seconds=45)
FIRST_RETRY_SECONDS = 2.0
# How many of an ordered channel that takes several at a time are handed to it at once.
BATCH = 200


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
        return [
            Delivery(fact=fact, channel=channel.lane_of(name), recipient=name) for name in channel.recipients_of(fact)
        ]
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
    channel = find_channel(name)
    if channel is None:
        return _bury_orphans(name)
    if channel.ordered:
        return _deliver_in_order(channel, limit)
    if channel.alone:
        with only_one(f"channel:{name}") as mine:
            return _deliver_in_any_order(channel, limit) if mine else 0
    return _deliver_in_any_order(channel, limit)


def _deliver_in_any_order(channel: Channel, limit: int) -> int:
    """Attempt one after the other; stop when the channel as a whole turns out to be down."""
    if not channel_health.may_try(channel.name):
        return 0
    done = attempted = 0
    with channel.open() as handler:
        while attempted < limit and (claimed := _claim(channel, min(CLAIMED_AT_ONCE, limit - attempted))):
            attempted += len(claimed)
            while claimed:
                outcome = _attempt(channel, handler, claimed.pop(0))
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


def _deliver_in_order(channel: Channel, limit: int) -> int:
    """Serve an ordered channel alone; stop at the first delivery that is not due or fails."""
    done = 0
    with only_one(f"channel:{channel.name}") as mine:
        if not mine:
            return 0
        size = BATCH if channel.takes_batches else 1
        with channel.open() as handler:
            while done < limit and (claimed := _lease_next(channel, min(size, limit - done))):
                ended = _attempt_batch(channel, claimed) if channel.takes_batches else 0
                if not channel.takes_batches:
                    ended = int(_attempt(channel, handler, claimed[0]) is Outcome.DONE)
                done += ended
                if ended < len(claimed):
                    break
    return done


def _lease_next(channel: Channel, count: int) -> list[Delivery]:
    """The next ones in order, up to the first that is to be tried later.

    The advisory lock proves that whoever held a lease is gone: no need to wait for it to run out.
    """
    moment = now()
    unfinished = Delivery.objects.filter(channel=channel.name).unfinished().order_by("fact_id")
    found = itertools.takewhile(
        lambda delivery: delivery.state == DeliveryState.SENDING or delivery.next_at <= moment,
        unfinished.select_related("fact__tenant")[:count],
    )
    claimed = list(found)
    for delivery in claimed:
        delivery.state, delivery.lease_until = DeliveryState.SENDING, moment + LEASE
        delivery.attempts += 1
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in claimed]).update(
        state=DeliveryState.SENDING, attempts=F("attempts") + 1, lease_until=moment + LEASE
    )
    return claimed


def _attempt_batch(channel: Channel, claimed: list[Delivery]) -> int:
    """Hand several to the channel at once; how many it took. What it did not try waits as if nothing had been."""
    try:
        outcomes: Sequence[Any] = channel.send_batch(claimed)
    except Exception as error:
        outcomes = [error]
    ends = list(itertools.zip_longest(claimed, outcomes))
    taken = [(delivery, end) for delivery, end in ends if isinstance(end, dict)]
    failpoint("before_delivery_done")
    _finish_many(taken)
    _give_back([delivery for delivery, end in ends if end is None])
    failures = [(delivery, end) for delivery, end in ends if isinstance(end, Exception)]
    for number, (delivery, failure) in enumerate(failures):
        _note_failure(channel, delivery, failure, also_health=number == 0)
    if taken:
        channel_health.note_up(channel.name)
    return len(taken)


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


def _attempt(channel: Channel, handler: Handler, delivery: Delivery) -> Outcome:
    with acting_through("system", delivery.fact.request_id):
        try:
            receipt = handler(delivery) or {}
        except Exception as error:
            return _note_failure(channel, delivery, error)
        failpoint("before_delivery_done")
        _finish_many([(delivery, receipt)])
        if channel.after:
            load_callable(channel.after)(delivery.fact)
        return Outcome.DONE


def _note_failure(channel: Channel, delivery: Delivery, error: Exception, *, also_health: bool = True) -> Outcome:
    if isinstance(error, DeliveryRefused):
        _bury(delivery, str(error))
        return Outcome.FAILED
    _postpone(channel, delivery, error)
    if isinstance(error, DeliveryFailed) and error.channel_down:
        if also_health:
            channel_health.note_down(channel.name, str(error), error.retry_after)
        return Outcome.DOWN
    return Outcome.FAILED


def _mine(delivery: Delivery) -> Any:
    """Only the holder of the current attempt may record its end."""
    return Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.SENDING, attempts=delivery.attempts)


def _finish_many(taken: Sequence[tuple[Delivery, dict[str, Any]]]) -> None:
    """They were taken; one statement, prepared, for it is the one that every delivery needs."""
    if taken:
        run(
            "UPDATE events_delivery AS delivery SET state = 'done', done_at = %s, lease_until = NULL, last_error = '',"
            " receipt = found.receipt::jsonb FROM unnest(%s::bigint[], %s::int[], %s::text[])"
            " AS found(id, attempts, receipt) WHERE delivery.id = found.id AND delivery.state = 'sending'"
            " AND delivery.attempts = found.attempts",
            [
                now(),
                [delivery.pk for delivery, _ in taken],
                [delivery.attempts for delivery, _ in taken],
                [json.dumps(receipt) for _, receipt in taken],
            ],
        )


TRAIL = 20


def _trail_of(delivery: Delivery, reason: str) -> list[dict[str, Any]]:
    """What went wrong so far, the last attempts of it."""
    return [*delivery.trail, {"at": utc_text(now()), "attempt": delivery.attempts, "error": reason[:500]}][-TRAIL:]


def _bury(delivery: Delivery, reason: str) -> None:
    trail = _trail_of(delivery, reason)
    _mine(delivery).update(state=DeliveryState.DEAD, lease_until=None, last_error=reason, trail=trail)
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
        trail=_trail_of(delivery, reason),
    )
    log.warning("delivery.postponed", delivery=delivery.pk, channel=channel.name, seconds=round(wait), reason=reason)


def retry_delivery(*, delivery: Delivery, again: bool = False) -> bool:
    """A person asks to try a dead (or waiting) delivery now, with `again` also one that is done; whether it will be."""
    wanted = Delivery.objects.filter(pk=delivery.pk)
    if not again:
        wanted = wanted.exclude(state=DeliveryState.DONE)
    changed = wanted.update(state=DeliveryState.QUEUED, next_at=now(), lease_until=None, done_at=None)
    ring_channels({delivery.channel})
    return bool(changed)
