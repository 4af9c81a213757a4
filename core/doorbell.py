"""Ring for background work: a hint that may get lost, because a sweep finds whatever was not done."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import structlog
from celery import Task, current_app
from django.conf import settings
from django.db import close_old_connections, transaction
from kombu import Connection
from kombu.pools import producers

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


# Who rings has a person waiting behind them, so a broker that is away must cost next to nothing.
ANSWERS_WITHIN = 0.4
SILENT_AFTER_FAILURE = 3.0


class _Silence:
    """When this process may try again, in monotonic seconds."""

    until = 0.0


def ring(task: str, *args: Any, countdown: float | None = None) -> bool:
    """Ask a worker to run `task` now, under this request id; False (and a log line) when the broker does not answer.

    That takes half a second at most, and then this process does not try again for three seconds.
    """
    started = time.monotonic()
    if started < _Silence.until:
        return False
    try:
        try:
            _send(task, args, countdown)
        except Exception:  # whatever the broker's client raises: perhaps the connection was only an old one
            if time.monotonic() - started > ANSWERS_WITHIN / 4:
                raise
            _send(task, args, countdown)
    except Exception as error:  # the sweep is the guarantee
        _Silence.until = time.monotonic() + SILENT_AFTER_FAILURE
        log.warning("doorbell.unheard", task=task, error=str(error), silent_seconds=SILENT_AFTER_FAILURE)
        return False
    return True


def _send(task: str, args: tuple[Any, ...], countdown: float | None) -> None:
    headers = {"stagepass_request_id": request_id.get()}
    with producers[_broker(settings.CELERY_BROKER_URL)].acquire(block=True, timeout=ANSWERS_WITHIN) as producer:
        current_app.send_task(task, args=args, countdown=countdown, retry=False, headers=headers, producer=producer)


@cache
def _broker(url: str) -> Connection:
    """How to reach it impatiently; workers, which wait for it, have a patient connection of their own."""
    impatient = {"max_retries": 0, "socket_connect_timeout": ANSWERS_WITHIN, "socket_timeout": ANSWERS_WITHIN}
    broker: Connection = current_app.connection_for_write(url, transport_options=impatient)
    return broker


def ring_on_commit(task: str, *args: Any) -> None:
    """Ring once the running transaction is committed; never at all if it is rolled back."""
    transaction.on_commit(lambda: ring(task, *args), robust=True)
