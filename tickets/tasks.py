"""Celery: notice workers that fell silent."""

from __future__ import annotations

from celery import shared_task

from core.context import acting_through
from tickets.services import stop_silent_workers


@shared_task(name="tickets.sweep_workers")
def sweep_workers() -> int:
    with acting_through("system"):
        return stop_silent_workers()
