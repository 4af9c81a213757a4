"""From facts to deliveries, and deliveries to their channels: at least once, retried with back-off, never lost."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F, QuerySet

from core.clock import now
from core.context import acting_through
from core.doorbell import ring
from core.failpoints import failpoint
from core.rows import build, columns
from core.sql import run
from events import channel_health
from events.attempts import Outcome, Takings, finish_many, note_failure
from events.channels import Channel, Handler, channels, find_channel
from events.models import Delivery, DeliveryState, DispatchCursor, DomainEvent
from events.notifiers.filters import remembering

log = structlog.get_logger(__name__)

ROUTE_BATCH = 500
CLAIMED_AT_ONCE = 50
# Longer than any handler takes; whoever dies while sending is followed by another after it.
LEASE = dt.timedelta(seconds=45)
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
    facts = list(
        DomainEvent.objects.filter(sequence__gt=cursor.position)
        .select_related("tenant")
        .order_by("sequence")[:ROUTE_BATCH]
    )
    if not facts:
        return 0, set()
    with remembering():
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
    if not channel.places:
        return _deliver_in_any_order(channel, limit)
    with a_place(f"channel:{name}", channel.places) as mine:
        return _deliver_in_any_order(channel, limit) if mine else 0


def _deliver_in_any_order(channel: Channel, limit: int) -> int:
    """Attempt one after the other; stop when the channel as a whole turns out to be down.

    Whoever had so much to do that more may be waiting has somebody go on, and on channels for several a second one help.
    """
    if not channel_health.may_try(channel.name):
        return 0
    done = attempted = 0
    with channel.open() as handler:
        while attempted < limit and (claimed := _claim(channel, min(CLAIMED_AT_ONCE, limit - attempted))):
            attempted += len(claimed)
            ended, down = _attempt_all(channel, handler, claimed)
            if ended and not done:
                channel_health.note_up(channel.name)
            done += ended
            if down:
                return done
    if attempted >= limit:
        for _ in range(2 if channel.places > 1 else 1):
            ring_channels({channel.name})
    return done


def _attempt_all(channel: Channel, handler: Handler, claimed: list[Delivery]) -> tuple[int, bool]:
    """Attempt what was claimed: how many were done, and whether to stop. What was not tried is given back."""
    done, stop, waiting = 0, False, deque(claimed)
    takings = Takings(channel)
    try:
        if expect := getattr(handler, "expect", None):
            expect(claimed)
        while waiting and not stop:
            outcome = _attempt(channel, handler, waiting.popleft(), takings)
            done += outcome is Outcome.DONE
            stop = outcome is Outcome.DOWN or _is_running_out(waiting)
    finally:
        takings.settle()
        if waiting:
            _give_back(list(waiting))
    return done, stop


def _attempt(channel: Channel, handler: Handler, delivery: Delivery, takings: Takings) -> Outcome:
    with acting_through("system", delivery.fact.request_id):
        try:
            receipt = handler(delivery) or {}
        except Exception as error:
            return note_failure(channel, delivery, error)
        takings.add(delivery, receipt)
        return Outcome.DONE


def _bury_orphans(name: str) -> int:
    Delivery.objects.filter(channel=name).due().update(
        state=DeliveryState.DEAD, last_error=f"The channel {name!r} is no longer configured.", lease_until=None
    )
    return 0


_CLAIM = (
    "WITH due AS (SELECT id FROM events_delivery WHERE channel = %(channel)s AND state IN ('queued', 'sending')"  # noqa: S608 (our own columns)
    " AND (state = 'queued' AND next_at <= %(now)s OR state = 'sending' AND lease_until < %(now)s)"
    " ORDER BY next_at, id LIMIT %(count)s FOR UPDATE SKIP LOCKED)"
    " UPDATE events_delivery AS delivery SET state = 'sending', attempts = attempts + 1, lease_until = %(until)s FROM due"
    f" WHERE delivery.id = due.id RETURNING {columns(Delivery, 'delivery')}"
)


def _claim(channel: Channel, count: int) -> list[Delivery]:
    """Take the next due deliveries by a lease; nobody else gets them until the lease ends."""
    about = {"channel": channel.name, "now": now(), "count": count, "until": now() + LEASE}
    claimed = [build(Delivery, row) for row in run(_CLAIM, about)]
    facts = DomainEvent.objects.select_related("tenant").in_bulk({delivery.fact_id for delivery in claimed})
    for delivery in claimed:
        delivery.fact = facts[delivery.fact_id]
    return sorted(claimed, key=lambda delivery: (delivery.next_at, delivery.pk))


def _is_running_out(claimed: Iterable[Delivery]) -> bool:
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
                if channel.takes_batches:
                    ended = _attempt_batch(channel, claimed)
                else:
                    ended, _ = _attempt_all(channel, handler, claimed)
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
    finish_many(taken)
    _give_back([delivery for delivery, end in ends if end is None])
    failures = [(delivery, end) for delivery, end in ends if isinstance(end, Exception)]
    for number, (delivery, failure) in enumerate(failures):
        note_failure(channel, delivery, failure, also_health=number == 0)
    if taken:
        channel_health.note_up(channel.name)
    return len(taken)


def only_one(name: str) -> AbstractContextManager[bool]:
    """A session lock by name: True for the one who has it; freed by the database when its holder dies."""
    return a_place(name, 1)


@contextmanager
def a_place(name: str, places: int) -> Iterator[bool]:
    """One of so many session locks by name: True for those who have one; freed by the database when their holder dies."""
    keys = [name, *(f"{name}#{number}" for number in range(2, places + 1))]
    with connection.cursor() as cursor:
        mine = next((key for key in keys if _try_lock(cursor, key)), None)
    try:
        yield mine is not None
    finally:
        if mine is not None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [mine])


def _try_lock(cursor: Any, key: str) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key])
    return bool(cursor.fetchone()[0])


def retry_delivery(*, delivery: Delivery, again: bool = False) -> bool:
    """A person asks to try a dead (or waiting) delivery now, with `again` also one that is done; whether it will be."""
    wanted = Delivery.objects.filter(pk=delivery.pk)
    if not again:
        wanted = wanted.exclude(state=DeliveryState.DONE)
    changed = wanted.update(state=DeliveryState.QUEUED, next_at=now(), lease_until=None, done_at=None)
    ring_channels({delivery.channel})
    return bool(changed)
