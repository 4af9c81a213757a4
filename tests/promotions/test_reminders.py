"""Due times: reminders that grow rarer and escalate, lapsing and scheduled requests; each once, whatever happens."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading

import pytest
from django.core import mail
from django.db import connection

from core.errors import WrongState
from events import outbox
from events.models import DomainEvent
from promotions.models import PromotionRequest
from promotions.services import approve_request, reject_request, remind_approvers
from promotions.services.reminders import next_reminder
from promotions.services.transition import load
from promotions.states import State
from promotions.tasks import sweep_due_dates, sweep_reminders

BEGIN = dt.datetime(2026, 3, 10, 9, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def clock(time_machine, settings):
    settings.PROMOTION_REMINDERS = [dt.timedelta(hours=hours) for hours in (4, 24, 72)]
    time_machine.move_to(BEGIN, tick=False)
    return time_machine


def facts(prefix: str = "promotion.") -> list[str]:
    return [
        kind.removeprefix("promotion.")
        for kind in DomainEvent.objects.filter(type__startswith=prefix)
        .order_by("sequence")
        .values_list("type", flat=True)
    ]


def told() -> set[str]:
    mail.outbox.clear()
    outbox.route_facts()
    outbox.deliver_channel("email", limit=1000)
    return {message.to[0].partition("@")[0] for message in mail.outbox}


def test_the_waits_grow(settings):
    hours = [(next_reminder(BEGIN, reminders=n) - BEGIN) / dt.timedelta(hours=1) for n in range(6)]
    assert hours == [4, 24, 72, 144, 288, 576]
    settings.PROMOTION_REMINDERS = []
    assert next_reminder(BEGIN, reminders=0) is None


def test_a_request_left_alone_is_reminded_of_and_then_escalates(devops, cpi, other_cpi, cpi_admin, pending, clock):
    assert told() == {"cpi", "other_cpi", "cpi_admin"}
    moment = BEGIN
    for hours, people in ((4, {"cpi", "other_cpi", "cpi_admin"}), (24, {"cpi", "other_cpi", "cpi_admin"}),
                          (72, {"cpi", "other_cpi", "cpi_admin"}), (144, {"cpi_admin"})):  # fmt: skip
        clock.move_to(moment + dt.timedelta(hours=hours, seconds=-1), tick=False)
        sweep_reminders()
        assert told() == set()
        moment += dt.timedelta(hours=hours)
        clock.move_to(moment, tick=False)
        sweep_reminders()
        sweep_reminders()
        assert told() == people
    assert facts() == ["created", "reminded", "reminded", "reminded", "escalated"]


def test_reminders_are_in_the_log_but_not_in_the_audit_trail(pending, clock, cpi, target):
    clock.move_to(BEGIN + dt.timedelta(hours=4), tick=False)
    sweep_reminders()
    approve_request(promotion=load(pending), by=cpi)
    reminded, approved = DomainEvent.objects.filter(type__in=["promotion.reminded", "promotion.approved"])
    assert reminded.data["reminder"] == 1
    assert [entry["action"] for entry in reminded.data["document"]["status"]["history"]] == ["created"]
    assert [entry["action"] for entry in approved.data["document"]["status"]["history"]] == ["created", "approved"]
    outbox.route_facts()
    assert [d.fact.type for d in approved.deliveries.model.objects.filter(channel="audit").order_by("fact_id")] == [
        "promotion.created", "promotion.approved",
    ]  # fmt: skip


@pytest.mark.parametrize("decide", [approve_request, reject_request])
def test_a_decision_ends_the_reminders(decide, pending, cpi, target, clock):
    words = {"reason": "Not this way, please"} if decide is reject_request else {}
    seen_before = load(pending)
    decide(promotion=pending, by=cpi, **words)
    clock.move_to(BEGIN + dt.timedelta(days=20), tick=False)
    sweep_reminders()
    with pytest.raises(WrongState):
        remind_approvers(promotion=seen_before)
    assert "reminded" not in facts()


def test_after_an_outage_one_reminder_comes_and_not_all_that_were_missed(pending, clock):
    clock.move_to(BEGIN + dt.timedelta(days=6), tick=False)
    for _ in range(3):
        sweep_reminders()
    assert facts() == ["created", "reminded"]
    assert load(pending).remind_at == BEGIN + dt.timedelta(days=7)


def test_what_nobody_decides_lapses_on_its_day_and_not_before(pending, devops, clock, settings):
    lapses = BEGIN + settings.PROMOTION_LIFETIME
    clock.move_to(lapses - dt.timedelta(seconds=1), tick=False)
    sweep_due_dates()
    assert load(pending).state == State.PENDING
    clock.move_to(lapses, tick=False)
    sweep_due_dates()
    sweep_due_dates()
    assert load(pending).state == State.EXPIRED
    assert facts().count("expired") == 1
    assert "devops" in told()


def test_a_scheduled_request_deploys_once_and_says_how_late(make_request, cpi, target, clock):
    promotion = make_request(scheduled_at=BEGIN + dt.timedelta(hours=10))
    scheduled = approve_request(promotion=promotion, by=cpi)
    assert scheduled.state == State.SCHEDULED
    clock.move_to(BEGIN + dt.timedelta(hours=9, minutes=59), tick=False)
    sweep_due_dates()
    assert load(promotion).state == State.SCHEDULED
    clock.move_to(BEGIN + dt.timedelta(hours=12), tick=False)
    sweep_due_dates()
    sweep_due_dates()
    assert load(promotion).state == State.APPROVED
    assert promotion.deployments.count() == 1
    assert DomainEvent.objects.get(type="promotion.due").data["late_seconds"] == 7200


@pytest.mark.django_db(transaction=True)
def test_four_sweeps_at_once_do_each_thing_once(make_request, cpi, target, clock):
    left_alone = [make_request(target_name=f"api-{n}") for n in range(10)]
    planned = approve_request(promotion=make_request(scheduled_at=BEGIN + dt.timedelta(hours=1)), by=cpi)
    lapsing = make_request(target_name="lapsing")
    PromotionRequest.objects.filter(pk=lapsing.pk).update(expires_at=BEGIN + dt.timedelta(hours=1), remind_at=None)
    clock.move_to(BEGIN + dt.timedelta(hours=5), tick=False)
    gate = threading.Barrier(4)

    def sweep() -> None:
        gate.wait()
        sweep_reminders()
        sweep_due_dates()
        connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert facts().count("reminded") == len(left_alone)
    assert facts().count("due") == facts().count("expired") == 1
    assert planned.deployments.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_sweep_killed_in_the_middle_is_made_up_for_by_the_next(pending, cpi, clock, settings):
    """The process really dies by SIGKILL, with the reminder written and not committed."""
    PromotionRequest.objects.update(remind_at="2020-01-01T00:00Z")
    database = settings.DATABASES["default"]
    url = (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )
    environment = os.environ | {"DATABASE_URL": url, "FAILPOINT": "before_reminder_commit:kill"}
    script = "import django; django.setup(); from promotions.tasks import sweep_reminders; sweep_reminders()"
    killed = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False)
    assert killed.returncode == -9
    assert facts() == ["created"]
    sweep_reminders()
    sweep_reminders()
    assert facts() == ["created", "reminded"]
    assert told() == {"cpi"}
