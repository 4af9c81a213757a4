"""Celery: deliver what is due on a channel."""

from __future__ import annotations

from celery import shared_task

from events import outbox


@shared_task(name="events.deliver")
def deliver(channel: str) -> int:
    return outbox.deliver_channel(channel)


@shared_task(name="events.sweep")
def sweep() -> None:
    """Find what no doorbell was heard for."""
    outbox.ring_channels(outbox.route_facts() | outbox.due_channels())
