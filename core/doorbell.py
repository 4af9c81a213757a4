"""Ring for background work: a hint that may get lost, because a sweep finds whatever was not done."""

from __future__ import annotations

from typing import Any

import structlog
from celery import current_app
from django.db import transaction

log = structlog.get_logger(__name__)


def ring(task: str, *args: Any, countdown: float | None = None) -> bool:
    """Ask a worker to run `task` now; False (and a log line) when the broker does not answer."""
    try:
        current_app.send_task(task, args=args, countdown=countdown, retry=False)
    except Exception as error:  # whatever the broker's client raises: the sweep is the guarantee
        log.warning("doorbell.unheard", task=task, error=str(error))
        return False
    return True


def ring_on_commit(task: str, *args: Any) -> None:
    """Ring once the running transaction is committed; never at all if it is rolled back."""
    transaction.on_commit(lambda: ring(task, *args), robust=True)
