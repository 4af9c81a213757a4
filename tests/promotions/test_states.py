"""Every state and every verb: what is permitted leads where the table says, all else is refused and changes nothing."""

from __future__ import annotations

import datetime as dt

import pytest

from core.clock import now
from core.errors import DomainError, WrongState
from events.models import DomainEvent
from promotions import services
from promotions.models import Deployment, PromotionRequest, RunningVersion
from promotions.services.transition import load
from promotions.states import ACTIVE, PROMOTION, State
from tests.conftest import content

HOUR = dt.timedelta(hours=1)
APPROVED_STATES = {
    State.SCHEDULED, State.APPROVED, State.DEPLOYING, State.DEPLOYED, State.FAILED, State.ROLLED_BACK,
}  # fmt: skip
RUNNING = {State.APPROVED: "launching", State.DEPLOYING: "running"}


def put_into(promotion: PromotionRequest, state: State, decider) -> PromotionRequest:
    """The request as it would be in `state`, without walking there."""
    fields: dict = {"state": state}
    if state in APPROVED_STATES:
        fields |= {"approved_by": decider, "approved_at": now(), "approved_digest": promotion.digest}
    if state == State.REJECTED:
        fields |= {"rejected_by": decider, "rejected_at": now(), "rejection_reason": "Not this time, sorry"}
    if state == State.SCHEDULED:
        fields["scheduled_at"] = now() - HOUR
    if state == State.PENDING:
        fields["expires_at"] = now() - HOUR
    if state in {State.DEPLOYED, State.ROLLED_BACK}:
        fields["replaced_version"] = "2.0.0"
    PromotionRequest.objects.filter(pk=promotion.pk).update(**fields)
    if state in RUNNING:
        Deployment.objects.create(promotion=promotion, attempt=1, deployer="none", state=RUNNING[state])
    return load(promotion)


def deployment_of(promotion: PromotionRequest) -> Deployment:
    return promotion.deployments.first() or Deployment(promotion=promotion, attempt=1)


VERBS = {
    "edit": lambda p, who: services.edit_request(promotion=p, content=content(version="9.9.9"), by=who["author"]),
    "approve": lambda p, who: services.approve_request(promotion=p, by=who["decider"]),
    "break_glass": lambda p, who: services.break_glass(
        promotion=p, by=who["chief"], reason="Payments are down, no approver answers"
    ),
    "reject": lambda p, who: services.reject_request(promotion=p, by=who["decider"], reason="Not good enough yet"),
    "withdraw": lambda p, who: services.withdraw_request(promotion=p, by=who["author"]),
    "expire": lambda p, who: services.expire_request(promotion=p),
    "release": lambda p, who: services.release_scheduled_request(promotion=p),
    "start": lambda p, who: services.deployment_started(deployment=deployment_of(p), job_id="7"),
    "succeed": lambda p, who: services.deployment_succeeded(deployment=deployment_of(p), result={}),
    "fail": lambda p, who: services.deployment_failed(deployment=deployment_of(p), error="boom"),
    "retry": lambda p, who: services.retry_deployment(promotion=p, by=who["author"]),
    "cancel": lambda p, who: services.cancel_deployment(promotion=p, by=who["author"]),
    "roll_back": lambda p, who: services.roll_back_request(promotion=p, by=who["decider"], reason="It broke payments"),
}
# Verbs that are permitted somewhere without moving the request itself.
BESIDE = {
    ("approved", "cancel"): "approved",
    ("deploying", "cancel"): "deploying",
    ("deployed", "roll_back"): "deployed",
}
INTERNAL = {"approve_for_later", "supersede_by_rollback"}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", State.values)
def test_state_and_verb(state, verb, pending, devops, cpi, cpi_admin, target):
    promotion = put_into(pending, State(state), cpi)
    edge = PROMOTION.find(state, verb)
    expected = edge.target if edge else BESIDE.get((state, verb))
    before = DomainEvent.objects.count()

    try:
        outcome = VERBS[verb](promotion, {"author": devops, "decider": cpi, "chief": cpi_admin})
    except DomainError as refusal:
        assert expected is None, f"{verb} was refused in {state}: {refusal.message}"
        assert isinstance(refusal, WrongState), refusal
        assert load(promotion).state == state
        assert DomainEvent.objects.count() == before
        return
    if expected is None:
        assert outcome is None, f"{verb} was possible in {state}"
        assert (load(promotion).state, DomainEvent.objects.count()) == (state, before)
        return
    assert load(promotion).state == expected
    fact = DomainEvent.objects.order_by("sequence").last()
    assert fact.sequence == before + 1, "each step leaves exactly one fact"
    if edge:
        assert fact.type == edge.fact
        assert fact.data["document"]["status"]["state"] == expected


def test_the_table_above_names_every_verb():
    assert {edge.verb for edge in PROMOTION} - INTERNAL <= set(VERBS)


def test_approval_of_a_later_date_waits_and_then_deploys_once_however_late(make_request, cpi, target):
    promotion = make_request(scheduled_at=now() + HOUR)
    approved = services.approve_request(promotion=promotion, by=cpi)
    assert approved.state == State.SCHEDULED
    assert not approved.deployments.exists()
    with pytest.raises(WrongState):
        services.release_scheduled_request(promotion=approved)

    PromotionRequest.objects.filter(pk=promotion.pk).update(scheduled_at=now() - HOUR)
    services.release_scheduled_request(promotion=load(promotion))
    with pytest.raises(WrongState):
        services.release_scheduled_request(promotion=load(promotion))
    assert load(promotion).state == State.APPROVED
    assert promotion.deployments.count() == 1
    assert DomainEvent.objects.get(type="promotion.due").data["late_seconds"] == 3600


def test_a_rollback_is_a_request_of_its_own_and_marks_the_first_when_deployed(
    make_request, devops, cpi, tenant, target
):
    RunningVersion.objects.create(
        tenant=tenant, environment="prod", target_type="api", target_name="payment-api", version="2.0.0"
    )
    first = deploy(make_request(), cpi)
    assert first.replaced_version == "2.0.0"

    rollback = services.roll_back_request(promotion=first, by=devops, reason="Payments fail for some cards")
    assert (rollback.version, rollback.state, rollback.reverses) == ("2.0.0", State.PENDING, first)
    deploy(rollback, cpi)
    assert load(first).state == State.ROLLED_BACK
    assert RunningVersion.objects.get(environment="prod").version == "2.0.0"


def deploy(promotion: PromotionRequest, by) -> PromotionRequest:
    services.approve_request(promotion=promotion, by=by)
    Deployment.objects.filter(promotion=promotion).update(state="launching")
    deployment = promotion.deployments.get()
    deployment.promotion = load(promotion)
    services.deployment_started(deployment=deployment, job_id="1")
    deployment = Deployment.objects.select_related("promotion").get(pk=deployment.pk)
    services.deployment_succeeded(deployment=deployment, result={})
    return load(promotion)


def test_active_states_are_those_that_block_a_second_request():
    ended = {State.REJECTED, State.DEPLOYED, State.FAILED, State.WITHDRAWN, State.EXPIRED, State.ROLLED_BACK}
    assert set(State) - ended == set(ACTIVE)
