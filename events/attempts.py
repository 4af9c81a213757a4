"""How attempts to deliver end: done, to be tried again, or given up. What went well is written down for many at once."""

from __future__ import annotations

import datetime as dt
import json
import random
import time
from collections.abc import Sequence
from enum import Enum
from typing import Any

import structlog

from core.canonical import utc_text
from core.clock import now
from core.failpoints import failpoint
from core.plugins import load_callable
from core.sql import run
from events import channel_health
from events.channels import Channel
from events.models import Delivery, DeliveryState
from events.types import DeliveryFailed, DeliveryRefused

log = structlog.get_logger(__name__)

FIRST_RETRY_SECONDS = 2.0
TRAIL = 20
# What was taken outside is on record here after this long at most; a crash in between repeats it, under the same ids.
SETTLE_SECONDS = 0.1


class Outcome(Enum):
    """How an attempt ended: delivered, not this time (or never), or nothing gets through on this channel."""

    DONE = "done"
    FAILED = "failed"
    DOWN = "down"


class Takings:
    """Deliveries that were taken and are not on record yet."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.taken: list[tuple[Delivery, dict[str, Any]]] = []
        self.since = 0.0

    def add(self, delivery: Delivery, receipt: dict[str, Any]) -> None:
        """Remember it; from time to time all are written down."""
        if not self.taken:
            self.since = time.monotonic()
        self.taken.append((delivery, receipt))
        if time.monotonic() - self.since >= SETTLE_SECONDS:
            self.settle()

    def settle(self) -> None:
        """Write down what was taken, in one statement."""
        taken, self.taken = self.taken, []
        if not taken:
            return
        failpoint("before_delivery_done")
        finish_many(taken)
        if self.channel.after:
            for delivery, _ in taken:
                load_callable(self.channel.after)(delivery.fact)


def finish_many(taken: Sequence[tuple[Delivery, dict[str, Any]]]) -> None:
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


def note_failure(channel: Channel, delivery: Delivery, error: Exception, *, also_health: bool = True) -> Outcome:
    """Give it up, or let it wait; what would have met every other delivery too lets the whole channel rest."""
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
