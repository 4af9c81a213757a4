"""The main job with kill -9 at every named place on its way, the broker and the database gone in between."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator

import pytest
import redis

from tests.workflows.system import System

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

PLACES = [
    "before_approve_commit",
    "after_approve_commit",
    "before_route_commit",
    "before_audit_commit",
    "after_audit_commit",
    "before_delivery_done",
    "before_launch",
    "after_launch",
    "before_callback_noted",
    "before_outcome",
    "after_smtp_data",
]
# There the worker dies with something that nobody else may take up before its lease has run out.
HELD_BY_LEASE = {"before_delivery_done", "before_launch", "after_launch", "after_smtp_data"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("crashes"))
    yield system
    system.up.stop()


@pytest.mark.parametrize("place", PLACES)
def test_killed_at(place: str, system: System) -> None:
    number = system.request()
    system.settle()
    armed = system.arm(place)
    answer = system.approve(number)
    assert answer.status_code == 200, answer.text
    system.until(lambda: not armed.exists())
    if place in HELD_BY_LEASE:
        system.pass_most_of_a_lease()
    assert system.ended(number) == "deployed"
    system.audit()


def test_a_lost_answer_from_awx_starts_no_second_job(system: System) -> None:
    number = system.request()
    system.awx.misbehave("drop_response", path="launch", times=1)
    assert system.approve(number).status_code == 200
    assert system.ended(number) == "deployed"
    system.audit()


def test_the_broker_loses_everything_and_is_killed(system: System) -> None:
    number = system.request()
    broker = redis.Redis.from_url(system.values["BROKER_URL"])
    assert system.approve(number).status_code == 200
    broker.flushall()
    system.kill("valkey")
    assert system.ended(number) == "deployed"
    system.audit()


def test_the_database_is_killed_between_approval_and_launch(system: System) -> None:
    number = system.request()
    assert system.approve(number).status_code == 200
    system.kill("postgres")
    assert system.ended(number) == "deployed"
    system.audit()


def test_every_process_is_killed_at_once(system: System) -> None:
    numbers = [system.request(service) for service in ("ledger", "payment-api", "billing-api")]
    for number in numbers:
        assert system.approve(number).status_code == 200
    for name in ("web", "worker", "beat", "dispatcher"):
        system.kill(name)
    system.pass_most_of_a_lease()
    assert [system.ended(number) for number in numbers] == ["deployed"] * 3
    system.audit()


def test_a_date_that_passed_while_the_system_was_down_deploys_once(system: System) -> None:
    """The last one here: the fake AWX forgets its jobs with the restart."""
    due = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5)
    number = system.request("payment-api", scheduledDate=due.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert system.approve(number).json()["status"]["state"] == "scheduled"
    system.up.stop()
    time.sleep(max(0.0, (due - dt.datetime.now(dt.UTC)).total_seconds()))
    system.up.start()
    assert system.ended(number) == "deployed"
    actions = [entry["action"] for entry in system.get("cpi", f"/{number}")["status"]["history"]]
    assert actions == ["created", "approved", "due", "deploying", "deployed"]
    assert system.sql("SELECT count(*) FROM promotions_deployment d JOIN promotions_promotionrequest p"
                      " ON p.id = d.promotion_id WHERE p.number = %s", number) == [(1,)]  # fmt: skip
