"""Channels that fail as a whole rest for a while, so that a dead mail server cannot occupy every worker."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from core.clock import now
from events.models import ChannelHealth

# After so many such failures in a row a channel rests: 10 s, doubling, at most 5 minutes.
PATIENCE = 3
FIRST_REST = dt.timedelta(seconds=10)
LONGEST_REST = dt.timedelta(minutes=5)
PROBE = dt.timedelta(seconds=30)


def may_try(channel: str) -> bool:
    """Whether the channel is up or its rest is over; after a rest a single worker tries, the others keep waiting."""
    rests_until = ChannelHealth.objects.filter(channel=channel).values_list("rests_until", flat=True).first()
    if rests_until is None:
        return True
    if rests_until > now():
        return False
    mine = ChannelHealth.objects.filter(channel=channel, rests_until=rests_until)
    return bool(mine.update(rests_until=now() + PROBE))


@transaction.atomic
def note_down(channel: str, error: str, rest: float | None = None) -> None:
    """One more failure in a row that would have met every other delivery too; `rest` in seconds is what it asks for."""
    ChannelHealth.objects.get_or_create(channel=channel)
    health = ChannelHealth.objects.select_for_update().get(channel=channel)
    health.failures += 1
    beyond = health.failures - PATIENCE
    health.rests_until = now() + min(FIRST_REST * 2 ** min(beyond, 10), LONGEST_REST) if beyond >= 0 else None
    if rest is not None:
        health.rests_until = max(health.rests_until or now(), now() + dt.timedelta(seconds=rest))
    health.error, health.changed_at = error, now()
    health.save()


def note_up(channel: str) -> None:
    """The channel took something: whatever was wrong is over."""
    ChannelHealth.objects.filter(channel=channel, failures__gt=0).update(
        failures=0, rests_until=None, error="", changed_at=now()
    )
