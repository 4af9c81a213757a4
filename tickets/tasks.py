"""Celery: notice workers that fell silent, and tickets that are late."""

from __future__ import annotations

from celery import shared_task

from core.context import acting_through
from tickets.services import remind_of_overdue_tickets, stop_silent_workers


@shared_task(name="tickets.sweep_workers")
def sweep_workers() -> int:
    with acting_through("system"):
        return stop_silent_workers()


@shared_task(name="tickets.remind_of_overdue")
def remind_of_overdue() -> int:
    with acting_through("system"):
        return remind_of_overdue_tickets()
