"""Breaking the glass: deployed at once, seen by everyone, and owed a review by someone else until that is done."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction

from core.errors import Conflict, InvalidInput, NotAllowed, WrongState
from events import outbox
from events.models import Delivery, DomainEvent
from promotions import services
from promotions.models import PromotionRequest
from promotions.selectors import render_requests
from promotions.services.engine import launch
from promotions.services.transition import load
from promotions.states import REVIEW, Review, State
from promotions.tasks import sweep_reminders
from tests.api import REQUESTS, call_as
from tests.promotions.deploying import come_due, ended, launched, record
from tests.races import at_once, winners

WHY = "Payments are down and nobody answers"
BEGIN = dt.datetime(2026, 3, 10, 9, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def newest() -> DomainEvent:
    return DomainEvent.objects.order_by("sequence").last()


@pytest.fixture
def broken(pending, cpi_admin, target) -> PromotionRequest:
    return services.break_glass(promotion=pending, by=cpi_admin, reason=WHY)


def test_it_deploys_now_against_its_date_and_the_policies_and_says_so(make_request, cpi_admin, target, settings):
    later = make_request(scheduled_at=dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
    PromotionRequest.objects.filter(pk=later.pk).update(security_scan_passed=False)
    with pytest.raises(Conflict):
        services.approve_request(promotion=load(later), by=cpi_admin, digest=later.digest)
    broken = services.break_glass(promotion=load(later), by=cpi_admin, reason=f"  {WHY} ")
    assert (broken.state, broken.review, broken.approved_by) == (State.APPROVED, Review.OWED, None)
    assert (broken.glass_broken_by, broken.glass_reason, broken.glass_digest) == (cpi_admin, WHY, later.digest)
    assert broken.review_due_at == broken.glass_broken_at + settings.BREAK_GLASS_REVIEW
    assert broken.deployments.count() == 1
    fact = newest()
    assert (fact.type, fact.actor_id) == ("promotion.glass_broken", cpi_admin.public_id)
    assert fact.data["overridden"] == ["Security scan: Not passed"]
    told = fact.data["document"]["status"]
    assert (told["state"], told["approvedBy"], told["breakGlass"]["by"]) == ("approved", None, "cpi_admin@example.com")
    assert told["history"][-1]["action"] == "glass_broken"
    assert told["history"][-1]["comment"] == WHY


def test_nothing_is_launched_before_it_is_on_record(broken):
    deployment = broken.deployments.get()
    assert not launch(come_due(deployment))
    record(broken)
    ended(launched(deployment))
    assert load(broken).state == State.DEPLOYED
    assert load(broken).review == Review.OWED


@pytest.mark.parametrize("who", ["devops", "cpi", "other_cpi", "viewer", "worker"])
def test_only_cpi_admins_break_the_glass(who, pending, request, target):
    with pytest.raises(NotAllowed, match="Only CPI admins"):
        services.break_glass(promotion=pending, by=request.getfixturevalue(who), reason=WHY)
    assert load(pending).state == State.PENDING


def test_it_needs_a_reason_of_twenty_characters_and_the_content_that_was_read(pending, cpi_admin, devops, target):
    with pytest.raises(InvalidInput) as refusal:
        services.break_glass(promotion=pending, by=cpi_admin, reason=" nineteen characters ")
    assert "reason" in refusal.value.errors
    with pytest.raises(Conflict) as changed:
        services.break_glass(promotion=pending, by=cpi_admin, reason=WHY, digest="0" * 64)
    assert changed.value.code == "content_changed"
    assert load(pending).review == Review.NONE


REVIEWS = {
    "approve_afterwards": lambda p, who: services.approve_afterwards(promotion=p, by=who, comment="Right so"),
    "object": lambda p, who: services.object_to_request(promotion=p, by=who, reason="It should have waited"),
}


@pytest.mark.parametrize("verb", REVIEWS)
@pytest.mark.parametrize("review", Review.values)
def test_every_review_state_and_verb(review, verb, broken, make_request, cpi, other_cpi, cpi_admin, target):
    promotion = make_request(target_name="untouched") if review == Review.NONE else broken
    if review in {Review.APPROVED, Review.OBJECTED}:
        REVIEWS["object" if review == Review.OBJECTED else "approve_afterwards"](promotion, other_cpi)
    before, edge = DomainEvent.objects.count(), REVIEW.find(review, verb)
    if edge is None:
        with pytest.raises(WrongState) as refusal:
            REVIEWS[verb](load(promotion), cpi)
        assert refusal.value.code == "nothing_to_review"
        assert review == Review.NONE or "other_cpi@example.com" in refusal.value.message
        assert (load(promotion).review, DomainEvent.objects.count()) == (review, before)
        return
    reviewed = REVIEWS[verb](promotion, cpi)
    assert (reviewed.review, reviewed.state) == (edge.target, State.APPROVED)
    assert (newest().type, DomainEvent.objects.count()) == (edge.fact, before + 1)
    assert newest().data["document"]["status"]["breakGlass"]["review"] == edge.target


def test_the_table_of_reviews_names_every_verb():
    assert {edge.verb for edge in REVIEW} == set(REVIEWS)


@pytest.mark.parametrize("verb", REVIEWS)
def test_neither_the_requester_nor_who_broke_the_glass_reviews(verb, broken, devops, cpi_admin, make_request, root):
    with pytest.raises(NotAllowed) as own:
        REVIEWS[verb](broken, devops)
    assert own.value.code == "own_request"
    with pytest.raises(NotAllowed) as breaker:
        REVIEWS[verb](broken, cpi_admin)
    assert breaker.value.code == "broke_the_glass"
    mine = services.break_glass(promotion=make_request(by=root, target_name="mine"), by=root, reason=WHY)
    with pytest.raises(NotAllowed):
        REVIEWS[verb](mine, root)
    assert {load(broken).review, load(mine).review} == {Review.OWED}


@pytest.mark.parametrize("column", ["approved", "objected"])
@pytest.mark.parametrize("who", ["author", "breaker"])
def test_the_database_refuses_it_too(column, who, broken, devops, cpi_admin):
    person = devops if who == "author" else cpi_admin
    moment = broken.glass_broken_at
    changes = {
        "approved": {"approved_by": person, "approved_at": moment, "approved_digest": broken.digest},
        "objected": {"objected_by": person, "objected_at": moment, "objection": "It should have waited"},
    }[column]
    with pytest.raises(IntegrityError), transaction.atomic():
        PromotionRequest.objects.filter(pk=broken.pk).update(**changes)


def test_no_row_can_deploy_without_approval_or_broken_glass_of_this_content(pending, broken):
    with pytest.raises(IntegrityError), transaction.atomic():
        PromotionRequest.objects.filter(pk=broken.pk).update(glass_digest="0" * 64)


def test_after_an_objection_nothing_is_deployed_again(broken, cpi):
    record(broken)
    deployment = launched(broken.deployments.get())
    services.deployment_failed(deployment=deployment, error="boom")
    services.object_to_request(promotion=load(broken), by=cpi, reason="It should have waited")
    with pytest.raises(WrongState, match="objected"):
        services.retry_deployment(promotion=load(broken), by=cpi)


def test_an_owed_review_cannot_be_forced_away(broken, root):
    services.cancel_deployment(promotion=broken, by=root)
    with pytest.raises(WrongState) as refusal:
        services.force_request_state(promotion=load(broken), state="pending", by=root, reason="Never happened")
    assert refusal.value.code == "review_owed"
    forced = services.force_request_state(
        promotion=load(broken), state="deployed", by=root, reason="It came up by hand"
    )
    assert forced.review == Review.OWED


def test_what_was_reviewed_can_start_over_without_any_trace_on_the_row(broken, cpi, root):
    services.approve_afterwards(promotion=broken, by=cpi)
    services.cancel_deployment(promotion=load(broken), by=root)
    again = services.force_request_state(promotion=load(broken), state="pending", by=root, reason="Starts all over")
    assert (again.review, again.glass_broken_by, again.approved_by) == (Review.NONE, None, None)
    assert "breakGlass" not in newest().data["document"]["status"]
    assert services.approve_request(promotion=again, by=cpi).review == Review.NONE


@pytest.mark.django_db(transaction=True)
def test_of_two_reviewers_at_the_same_time_one_wins(broken, cpi, other_cpi):
    yes, no = (lambda: REVIEWS["approve_afterwards"](broken, cpi)), (lambda: REVIEWS["object"](broken, other_cpi))
    assert len(winners(at_once(yes, no))) == 1
    kinds = DomainEvent.objects.filter(type__in=["promotion.approved_afterwards", "promotion.objected"])
    assert kinds.count() == 1


# Over REST


def test_the_whole_way_over_rest(pending, devops, cpi, cpi_admin, target):
    address, chief = f"{REQUESTS}/{pending.number}", call_as(cpi_admin)
    assert chief.post(f"{address}/break-glass", {"reason": "too short"}).status_code == 400
    told = chief.post(f"{address}/break-glass", {"reason": WHY, "digest": pending.digest})
    assert told.status_code == 200, told.content
    assert told.json()["status"]["breakGlass"]["review"] == "owed"
    assert chief.post(f"{address}/approve-afterwards", {}).json()["code"] == "broke_the_glass"
    assert call_as(devops).post(f"{address}/object", {"reason": "I did not want it"}).status_code == 403
    done = call_as(cpi).post(f"{address}/object", {"reason": "It should have waited"})
    assert done.json()["status"]["breakGlass"]["objection"] == "It should have waited"
    late = call_as(cpi).post(f"{address}/approve-afterwards", {})
    assert (late.status_code, late.json()["code"]) == (400, "nothing_to_review")
    assert "breakGlass" in render_requests([load(pending)])[0]["status"]


def test_requests_whose_glass_is_whole_look_as_ever(pending):
    assert "breakGlass" not in render_requests([pending])[0]["status"]


# Who is told, and until when


def told() -> dict[str, set[str]]:
    mail.outbox.clear()
    outbox.route_facts()
    outbox.deliver_channel("email", limit=1000)
    assert not Delivery.objects.filter(channel="email").exclude(state="done").exists()
    people: dict[str, set[str]] = {}
    for message in mail.outbox:
        kind = message.extra_headers["X-Stagepass-Fact"].rpartition(".")[2]
        people.setdefault(kind, set()).add(message.to[0].partition("@")[0])
    return people


@pytest.fixture
def clock(time_machine, settings):
    settings.BREAK_GLASS_REVIEW = 24 * HOUR
    settings.BREAK_GLASS_REMINDERS = [4 * HOUR, 24 * HOUR]
    settings.OPS_EMAILS = ["ops@example.com"]
    time_machine.move_to(BEGIN, tick=False)
    return time_machine


@pytest.fixture
def cast(devops, other_devops, cpi, other_cpi, cpi_admin, viewer, worker, outsider) -> None:
    """Everybody is there, so that who is not told is seen too."""


def test_everyone_concerned_is_told(clock, cast, pending, cpi, cpi_admin, target):
    told()
    broken = services.break_glass(promotion=pending, by=cpi_admin, reason=WHY)
    assert told() == {"glass_broken": {"devops", "cpi", "other_cpi", "cpi_admin"}}
    assert all(WHY in message.body and "2026-03-11T09:00:00Z" in message.body for message in mail.outbox)
    services.object_to_request(promotion=broken, by=cpi, reason="It should have waited")
    assert told() == {"objected": {"devops", "other_cpi", "cpi_admin"}}
    assert all("It should have waited" in message.body and "rollback" in message.body for message in mail.outbox)


def test_an_approval_afterwards_is_told_to_those_who_wait_for_it(clock, cast, pending, cpi, cpi_admin, target):
    broken = services.break_glass(promotion=pending, by=cpi_admin, reason=WHY)
    told()
    services.approve_afterwards(promotion=broken, by=cpi)
    assert told() == {"approved_afterwards": {"devops", "cpi_admin"}}


def test_an_overdue_review_is_called_in_at_growing_intervals_and_then_escalates(
    clock, cast, pending, cpi_admin, target
):
    services.break_glass(promotion=pending, by=cpi_admin, reason=WHY)
    told()
    moment = BEGIN
    for hours, expected in (
        (24, {"review_reminded": {"cpi", "other_cpi"}}), (4, {"review_reminded": {"cpi", "other_cpi"}}),
        (24, {"review_escalated": {"cpi_admin", "ops"}}), (48, {"review_escalated": {"cpi_admin", "ops"}}),
        (96, {"review_escalated": {"cpi_admin", "ops"}}),
    ):  # fmt: skip
        clock.move_to(moment + hours * HOUR - dt.timedelta(seconds=1), tick=False)
        sweep_reminders()
        assert told() == {}
        moment += hours * HOUR
        clock.move_to(moment, tick=False)
        sweep_reminders()
        sweep_reminders()
        assert told() == expected
    assert newest().data["overdue_seconds"] == (4 + 24 + 48 + 96) * 3600


@pytest.mark.parametrize("verb", REVIEWS)
def test_a_review_ends_the_reminders_also_those_on_their_way(verb, clock, broken, cpi):
    clock.move_to(BEGIN + 30 * HOUR, tick=False)
    sweep_reminders()
    outbox.route_facts()
    REVIEWS[verb](load(broken), cpi)
    assert "review_reminded" not in told()
    clock.move_to(BEGIN + 500 * HOUR, tick=False)
    sweep_reminders()
    assert DomainEvent.objects.filter(type__startswith="promotion.review_").count() == 1


def test_after_an_outage_one_reminder_comes_and_not_all_that_were_missed(clock, broken):
    clock.move_to(BEGIN + 300 * HOUR, tick=False)
    for _ in range(3):
        sweep_reminders()
    assert DomainEvent.objects.filter(type__startswith="promotion.review_").count() == 1
    assert load(broken).review_remind_at == BEGIN + 304 * HOUR


@pytest.mark.django_db(transaction=True)
def test_four_sweeps_at_once_remind_once(clock, make_request, cpi_admin, target):
    for number in range(8):
        services.break_glass(promotion=make_request(target_name=f"api-{number}"), by=cpi_admin, reason=WHY)
    PromotionRequest.objects.update(remind_at=None)
    clock.move_to(BEGIN + 25 * HOUR, tick=False)
    gate = threading.Barrier(4)

    def sweep() -> None:
        gate.wait()
        sweep_reminders()
        connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert DomainEvent.objects.filter(type="promotion.review_reminded").count() == 8
