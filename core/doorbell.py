"""Ring for background work: a hint that may get lost, because a sweep finds whatever was not done."""

from __future__ import annotations

from typing import Any

import structlog
from celery import Task, current_app
from django.db import close_old_connections, transaction

from core.context import acting_through, request_id

log = structlog.get_logger(__name__)


class TracedTask(Task):
    """What every task is: it runs under the request id that its doorbell brought along, on a connection that works."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # As Django does before a request: what the database dropped (a restart) or is too old is opened anew.
        if not transaction.get_connection().in_atomic_block:
            close_old_connections()
        given = str(self.request.get("stagepass_request_id") or "")
        about = {"task": self.name, "task_id": self.request.id}
        with acting_through("system", given), structlog.contextvars.bound_contextvars(**about):
            return self.run(*args, **kwargs)


def ring(task: str, *args: Any, countdown: float | None = None) -> bool:
    """Ask a worker to run `task` now, under this request id; False (and a log line) when the broker does not answer."""
    try:
        headers = {"stagepass_request_id": request_id.get()}
        current_app.send_task(task, args=args, countdown=countdown, retry=False, headers=headers)
    except Exception as error:  # whatever the broker's client raises: the sweep is the guarantee
        log.warning("doorbell.unheard", task=task, error=str(error))
        return False
    return True


def ring_on_commit(task: str, *args: Any) -> None:
    """Ring once the running transaction is committed; never at all if it is rolled back."""
    transaction.on_commit(lambda: ring(task, *args), robust=True)
