"""Locks: one holder at a time, whatever races; lapsing, observing, and the locks that deployments take."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.db import connection
from django.test import override_settings

from core.clock import now
from core.errors import Conflict, NotFound
from events.models import DomainEvent, Event, Lock
from events.tracker.locks import acquire_lock, find_lock, release_lock, sweep_lapsed_locks
from events.tracker.records import record_event, update_event
from tests.events.tracker.conftest import columns, deployment
from tests.races import at_once, winners

pytestmark = pytest.mark.django_db

KEY = {"service": "ledger", "environment": "production", "who": "ana"}
STARTING = columns(environment=7, status=1, owner="ana")


def facts(*types):
    return list(DomainEvent.objects.filter(type__in=types).values_list("type", flat=True))


def test_a_lock_by_rest_from_taking_to_releasing(rest, tenant):
    status, answer = rest.post("lock", KEY)
    assert status == 200
    assert answer["id"] == answer["lock"]["id"]
    again, refusal = rest.post("lock", KEY | {"who": "bert", "environment": "Production"})
    assert (again, refusal["code"]) == (409, 6)
    assert refusal["message"] == "service ledger is already locked in Production. Please unlock it first"
    assert refusal["details"][0]["metadata"]["who"] == "ana"
    assert rest.get(f"lock/{answer['id']}")[1]["lock"]["who"] == "ana"
    assert rest.put(f"lock/{answer['id']}", {"who": "bert", "resource": ""})[1]["lock"]["who"] == "bert"
    assert rest.get("locks/list")[1]["totalCount"] == 1
    assert rest.get("locks/list?environment=uat")[1]["locks"] == []
    assert rest.get(f"unlock/{answer['id']}")[1] == {"message": "lock deleted", "id": answer["id"], "count": "1"}
    assert rest.get(f"unlock/{answer['id']}")[0] == 404
    assert rest.delete(f"lock/{answer['id']}")[0] == 404
    assert facts("lock.acquired", "lock.changed", "lock.released") == ["lock.acquired", "lock.changed", "lock.released"]


@pytest.mark.parametrize(
    "body", [{}, {"service": ""}, {"service": 5}, KEY | {"expiresAt": "2001-01-01T00:00:00Z"}, KEY | {"who": "x" * 301},
             KEY | {"eventId": "not there"}, KEY | {"environment": "x" * 101}, KEY | {"resource": []}],
)  # fmt: skip
def test_bad_input(rest, body):
    assert rest.post("lock", body)[0] == 400
    assert not Lock.objects.exists()


def test_a_lock_of_an_event_is_in_its_changelog(rest, event):
    _, answer = rest.post("lock", KEY | {"eventId": str(event.pk)})
    rest.get(f"unlock/{answer['id']}")
    _, shown = rest.get(f"event/{event.pk}")
    assert [line["changeType"] for line in shown["event"]["changelog"]] == ["created", "locked", "unlocked"]


def test_a_changed_lock_may_not_take_anothers_place(rest):
    rest.post("lock", KEY)
    _, other = rest.post("lock", KEY | {"environment": "UAT"})
    status, answer = rest.put(f"lock/{other['id']}", {"environment": "production"})
    assert (status, "already locked" in answer["message"]) == (409, True)


def test_a_lapsed_lock_holds_nobody_up(tenant, devops):
    lock = acquire_lock(tenant=tenant, content=KEY | {"expires_at": now() + dt.timedelta(hours=1)}, by=devops)
    with pytest.raises(Conflict):
        acquire_lock(tenant=tenant, content=KEY, by=devops)
    with time_machine.travel(now() + dt.timedelta(hours=2)):
        with pytest.raises(NotFound):
            find_lock(devops, lock.pk)
        acquire_lock(tenant=tenant, content=KEY | {"who": "bert"}, by=devops)
    assert facts("lock.lapsed") == ["lock.lapsed"]
    assert Lock.objects.get().who == "bert"


def test_lapsed_locks_are_swept_with_a_fact_each(tenant, devops):
    for environment in ("a", "b", "c"):
        expiry = now() + dt.timedelta(hours=1) if environment != "c" else None
        acquire_lock(tenant=tenant, content=KEY | {"environment": environment, "expires_at": expiry}, by=devops)
    assert sweep_lapsed_locks() == 0
    with time_machine.travel(now() + dt.timedelta(hours=2)):
        assert sweep_lapsed_locks() == 2
    assert facts("lock.lapsed") == ["lock.lapsed"] * 2
    assert Lock.objects.get().environment == "c"


# The locks of events


@override_settings(TRACKER_AUTO_LOCK="enforce")
def test_enforced_a_starting_deployment_takes_a_lock_and_refuses_the_next(rest, tenant):
    _, made = rest.post("event", deployment(status="start", environment="production"))
    status, answer = rest.post("event", deployment(status="in_progress", environment="production"))
    assert (status, answer["code"]) == (409, 6)
    assert answer["message"] == (
        "cannot create event: service ledger is already locked in production. Please unlock it first"
    )
    assert Event.objects.count() == 1
    assert rest.post("event", deployment(status="start", environment="UAT"))[0] == 200
    assert rest.post("event", deployment(status="start"))[0] == 200, "without an environment nothing is locked"
    rest.put("event", {"id": made["id"], "attributes": {"status": "success"}})
    assert rest.post("event", deployment(status="start", environment="production"))[0] == 200


@override_settings(TRACKER_AUTO_LOCK="enforce")
def test_enforced_an_update_that_starts_takes_the_lock_too(tenant):
    first = record_event(tenant=tenant, content=columns(environment=7, status=13), by=None)
    second = record_event(tenant=tenant, content=STARTING, by=None)
    with pytest.raises(Conflict, match="cannot update event: service ledger is already locked in production"):
        update_event(event=first, content={"status": 1}, by=None)
    update_event(event=second, content={"status": 2}, by=None)
    update_event(event=first, content={"status": 1}, by=None)
    assert Lock.objects.get().event == first


@override_settings(TRACKER_AUTO_LOCK="enforce")
def test_a_lock_on_the_whole_service_stands_in_the_way(tenant):
    acquire_lock(tenant=tenant, content={"service": "ledger", "who": "ana"}, by=None)
    with pytest.raises(Conflict, match="already locked"):
        record_event(tenant=tenant, content=STARTING, by=None)


@override_settings(TRACKER_AUTO_LOCK="observe")
def test_observed_the_event_is_recorded_and_says_so(rest, tenant):
    rest.post("event", deployment(status="start", environment="production", owner="ana"))
    status, answer = rest.post("event", deployment(status="start", environment="production"))
    assert status == 200
    comments = [line["comment"] for line in answer["event"]["changelog"]]
    assert "Deployed while ledger was locked in production by ana" in comments
    assert rest.get(f"event/{answer['id']}")[1]["event"]["changelog"] == answer["event"]["changelog"]
    assert Lock.objects.count() == 1


@override_settings(TRACKER_AUTO_LOCK="off")
def test_switched_off_no_event_takes_a_lock(tenant):
    record_event(tenant=tenant, content=STARTING, by=None)
    assert not Lock.objects.exists()


@override_settings(TRACKER_AUTO_LOCK="enforce", TRACKER_LOCK_LIFETIME=dt.timedelta(hours=1))
def test_a_forgotten_deployment_does_not_lock_for_ever(tenant):
    record_event(tenant=tenant, content=STARTING, by=None)
    with time_machine.travel(now() + dt.timedelta(hours=2)):
        record_event(tenant=tenant, content=STARTING, by=None)
    assert Lock.objects.count() == 1


def test_a_deleted_event_gives_its_lock_up(rest, tenant):
    _, made = rest.post("event", deployment(status="start", environment="production"))
    assert Lock.objects.count() == 1
    rest.delete(f"event/{made['id']}")
    assert not Lock.objects.exists()
    assert facts("lock.released", "event.deleted") == ["lock.released", "event.deleted"]


# Races


@pytest.mark.django_db(transaction=True)
def test_of_many_who_lock_at_once_one_wins_and_the_others_are_told(tenant, devops):
    for number in range(5):
        content = KEY | {"service": f"service-{number}"}
        calls = [lambda c=content: acquire_lock(tenant=tenant, content=c, by=devops) for _ in range(6)]
        outcomes = at_once(*calls)
        assert len(winners(outcomes)) == 1
        assert all("already locked" in str(one) for one in outcomes if isinstance(one, Exception))
    assert Lock.objects.count() == 5
    assert len(facts("lock.acquired")) == 5


@pytest.mark.django_db(transaction=True)
def test_of_many_deployments_that_start_at_once_one_is_recorded(tenant, devops):
    with override_settings(TRACKER_AUTO_LOCK="enforce"):
        for number in range(5):
            content = STARTING | {"service": f"service-{number}"}
            calls = [lambda c=content: record_event(tenant=tenant, content=c, by=devops) for _ in range(6)]
            assert len(winners(at_once(*calls))) == 1
    assert Event.objects.count() == Lock.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_a_lock_is_released_once(tenant, devops):
    lock = acquire_lock(tenant=tenant, content=KEY, by=devops)
    assert len(winners(at_once(*[lambda: release_lock(lock=lock, by=devops) or True for _ in range(5)]))) == 1
    assert facts("lock.released") == ["lock.released"]


@pytest.mark.django_db(transaction=True)
def test_the_database_itself_knows_one_holder(tenant):
    """The rule is a constraint, not only code."""
    Lock.objects.create(tenant=tenant, **KEY)
    with pytest.raises(Exception, match="lock_held_once"), connection.cursor():
        Lock.objects.create(tenant=tenant, **KEY | {"environment": "PRODUCTION"})
