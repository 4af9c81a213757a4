"""Events recorded at the same moment share a transaction, and nothing else: each has its fact and its outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction

from core.sql import run
from events.models import DomainEvent, Event
from events.services import _LOG_LOCK as LOG_LOCK
from events.tracker import group_commit
from events.tracker.facts import about_event, fact_of
from events.tracker.records import build_event, record_event
from tests.events.tracker.conftest import columns
from tests.races import at_once, winners

pytestmark = pytest.mark.django_db(transaction=True)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.005)


def transaction_of(event: Event) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text::bigint FROM events_event WHERE id = %s", [event.pk])
        return int(cursor.fetchone()[0])


def while_the_log_is_held(*calls: Callable[[], object]) -> list[object]:
    """What the calls came to: the first begins to write and has to wait, the others come meanwhile."""
    group, outcomes = group_commit.GROUP, [[], []]
    with transaction.atomic():
        run("SELECT pg_advisory_xact_lock(%s::bigint)", [LOG_LOCK])
        threads = [
            threading.Thread(target=lambda: outcomes[0].extend(at_once(calls[0]))),
            threading.Thread(target=lambda: outcomes[1].extend(at_once(*calls[1:]))),
        ]
        threads[0].start()
        until(lambda: group.busy)
        threads[1].start()
        until(lambda: len(group.waiting) == len(calls) - 1)
    for thread in threads:
        thread.join(60)
    return [*outcomes[0], *outcomes[1]]


def test_who_comes_meanwhile_is_written_together_each_with_its_fact(tenant, devops):
    calls = [lambda n=n: record_event(tenant=tenant, content=columns(title=f"Event {n}"), by=devops) for n in range(6)]
    events = winners(while_the_log_is_held(*calls))
    assert len({transaction_of(event) for event in events}) == 2  # the first alone, the others together
    facts = DomainEvent.objects.filter(type="event.recorded").order_by("sequence")
    assert {fact.subject_id for fact in facts} == {str(event.pk) for event in events}
    assert all(fact.hash == fact.compute_hash() for fact in facts)
    assert [fact.previous_hash for fact in facts][1:] == [fact.hash for fact in facts][:-1]


def test_one_that_cannot_be_written_spoils_nobody_elses(tenant, devops):
    def write(**changes: object) -> Event:
        event = build_event(tenant.pk, columns(title="Fine"), by=devops, moment=devops.date_joined)
        for name, value in changes.items():
            setattr(event, name, value)
        group_commit.write_together(event, fact_of(tenant.pk, devops, about_event("event.recorded", event)))
        return event

    calls = [write, lambda: write(service=""), write, lambda: write(impact=9), write]
    outcomes = while_the_log_is_held(*calls)
    assert [isinstance(one, IntegrityError) for one in outcomes] == [False, True, False, True, False]
    assert Event.objects.count() == DomainEvent.objects.filter(type="event.recorded").count() == 3


def test_within_a_transaction_an_event_is_part_of_it(tenant, devops):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record_event(tenant=tenant, content=columns(), by=devops)
        raise ZeroDivisionError
    assert not Event.objects.exists()
