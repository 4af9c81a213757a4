"""Celery: deliver what is due on a channel."""

from __future__ import annotations

from celery import shared_task

from core.doorbell import ring
from events import notices, outbox, reminders
from events.cdevents.retention import forget_old_received
from events.cdevents.webhooks import deliveries
from events.chain import following
from events.connections.marks import forget_old_marks
from events.endpoints.services import switch_off_failing_endpoints
from events.slack import calls
from events.tracker import locks, retention


@shared_task(name="events.deliver")
def deliver(channel: str) -> int:
    return outbox.deliver_channel(channel)


@shared_task(name="events.sweep")
def sweep() -> None:
    """Find what no doorbell was heard for."""
    outbox.ring_channels(outbox.route_facts() | outbox.due_channels())


@shared_task(name="events.follow_chain")
def follow_chain() -> None:
    """Take new facts into the graph of the chain."""
    following.follow_log()


@shared_task(name="events.process_delivery")
def process_delivery(delivery: int) -> str:
    return deliveries.process_delivery(delivery_id=delivery)


@shared_task(name="events.sweep_inbound")
def sweep_inbound() -> None:
    """Find deliveries of webhooks that no doorbell was heard for."""
    for delivery in deliveries.due_deliveries():
        ring(deliveries.TASK, delivery)


@shared_task(name="events.sweep_digests")
def sweep_digests() -> None:
    """Compile the digests whose time has come; each once, however many sweep."""
    for user, channel in notices.due_digests():
        notices.compile_digest(user=user, channel=channel)


@shared_task(name="events.sweep_locks")
def sweep_locks() -> None:
    """Delete locks whose time is over."""
    while locks.sweep_lapsed_locks() == locks.SWEEP_BATCH:
        pass


@shared_task(name="events.forget_old_events")
def forget_old_events() -> None:
    """Delete events, what was received, and marks of what we wrote elsewhere, that are older than the settings keep."""
    retention.forget_old_events()
    forget_old_received()
    forget_old_marks()


@shared_task(name="events.perform_slack_call")
def perform_slack_call(pk: int) -> None:
    """Do what somebody asked for in Slack."""
    calls.perform_call(pk)


@shared_task(name="events.sweep_slack_calls")
def sweep_slack_calls() -> None:
    """Do what no doorbell was heard for, and forget what is long done."""
    for pk in calls.unheard_calls():
        calls.perform_call(pk)
    calls.forget_calls()


@shared_task(name="events.sweep_endpoints")
def sweep_endpoints() -> None:
    """Switch off webhooks that nobody answers for days."""
    switch_off_failing_endpoints()


@shared_task(name="events.remind")
def remind() -> None:
    """Remind of what nobody did: dead letters, tokens about to end."""
    reminders.remind_of_dead_letters()
    reminders.remind_of_tokens()
