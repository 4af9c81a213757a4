"""Recording that is cut in the middle, sent again, or done by a clock that jumps: nothing half, nothing twice, no nonsense."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest
import time_machine
from django.db import connection, transaction

from core.clock import now
from core.sql import run
from events.models import DomainEvent, Event
from events.services import _LOG_LOCK as LOG_LOCK
from events.tracker.records import finish_event, record_event
from events.tracker.search import Criteria, walk
from tests.events.tracker.conftest import columns, deployment

BATCH = {"events": [deployment(message=f"number {number}") for number in range(50)]}
KEY = {"Idempotency-Key": "run-4712"}
# Not from pg_stat_activity, which is read once in a transaction.
WAITING = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def cut(call) -> tuple[int, object]:
    """What the call came to when its connection was killed after its rows were written, before the commit."""
    answers: list[tuple[int, object]] = []

    def run_it() -> None:
        try:
            answers.append(call())
        finally:
            connection.close()

    with transaction.atomic():
        run("SELECT pg_advisory_xact_lock(%s::bigint)", [LOG_LOCK])
        thread = threading.Thread(target=run_it)
        thread.start()
        end = time.monotonic() + 30
        while not (waiting := run(WAITING, ())):
            assert time.monotonic() < end
            threading.Event().wait(0.01)
        run("SELECT pg_terminate_backend(%s::int)", [waiting[0][0]])
        thread.join(30)
    return answers[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("path", "body", "count"), [("events/batch", BATCH, 50), ("event", deployment(), 1)])
def test_what_is_cut_before_its_commit_is_not_there_and_may_be_sent_again(rest, path, body, count):
    status, answer = cut(lambda: rest.call("POST", path, body, **KEY))
    assert status in {500, 503}, answer
    assert not Event.objects.exists()
    assert not DomainEvent.objects.filter(type="event.recorded").exists()
    first = rest.call("POST", path, body, **KEY)
    assert first[0] == 200, first
    assert rest.call("POST", path, body, **KEY) == first, "the answer was lost, not the batch"
    assert Event.objects.count() == count
    assert DomainEvent.objects.filter(type="event.recorded").count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_that_is_cut_while_others_wait_does_not_take_them_along(rest, tenant):
    status, _ = cut(lambda: rest.call("POST", "event", deployment()))
    assert status in {500, 503}
    assert rest.post("event", deployment())[0] == 200
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_a_clock_that_is_set_back_loses_nothing_and_makes_no_negative_time(tenant):
    with time_machine.travel(now() + dt.timedelta(hours=3)):
        ahead = record_event(tenant=tenant, content=columns(status=1, title="ahead"), by=None)
    behind = record_event(tenant=tenant, content=columns(title="behind", related_id=str(ahead.pk)), by=None)
    assert behind.duration == dt.timedelta(0)
    ended = finish_event(event=ahead, status=3, by=None)
    assert ended.duration is None or ended.duration >= dt.timedelta(0)
    assert ended.updated_at > ended.created_at
    found = [event.title for page in walk(Criteria(tenants=[tenant.pk]), size=1) for event in page]
    assert found == ["ahead", "behind"]
    sequences = list(DomainEvent.objects.order_by("sequence").values_list("sequence", flat=True))
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
