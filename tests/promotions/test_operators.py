"""Forcing a state: operators only, with a reason, on record, and never a way past four eyes."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from accounts.models import User
from core.errors import Conflict, DomainError, InvalidInput, NotAllowed, WrongState
from events.channels import channels
from events.models import DomainEvent
from promotions.models import Deployment, PromotionRequest, RunningVersion
from promotions.services import (
    approve_request,
    cancel_deployment,
    force_request_state,
    reject_request,
    withdraw_request,
)
from promotions.services.deployments import begin_deployment
from promotions.states import FORCEABLE, State
from promotions.wire import ACTIONS

REASON = "The job was finished by hand on the machine"


def again(promotion: PromotionRequest) -> PromotionRequest:
    return PromotionRequest.objects.get(pk=promotion.pk)


@pytest.fixture
def operator(make_user) -> User:
    """Staff with the permission, and no other power."""
    user = make_user("operator")
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="force_promotionrequest"))
    return User.objects.get(pk=user.pk)


@pytest.fixture
def approved(pending, cpi, target) -> PromotionRequest:
    return approve_request(promotion=pending, by=cpi)


def test_it_leaves_one_fact_with_the_document_that_goes_to_git(approved, operator):
    forced = force_request_state(promotion=approved, state=State.DEPLOYED, by=operator, reason=REASON)
    fact = DomainEvent.objects.latest("sequence")
    assert (fact.type, fact.actor_id) == ("promotion.forced", operator.public_id)
    last = fact.data["document"]["status"]["history"][-1]
    assert {key: last[key] for key in ("action", "by", "comment", "from", "to")} == {
        "action": "forced", "by": operator.email, "comment": REASON, "from": "approved", "to": "deployed",
    }  # fmt: skip
    assert fact.data["document"]["status"]["state"] == forced.state == "deployed"
    assert "promotion.forced" in ACTIONS
    assert channels()["audit"].wants(fact.type)


@pytest.mark.parametrize("who", ["devops", "cpi", "cpi_admin", "viewer", "outsider"])
def test_only_operators(approved, request, who):
    with pytest.raises(NotAllowed):
        force_request_state(promotion=approved, state=State.FAILED, by=request.getfixturevalue(who), reason=REASON)
    assert again(approved).state == "approved"


def test_the_permission_without_the_admin_is_not_enough(approved, operator):
    User.objects.filter(pk=operator.pk).update(is_staff=False)
    with pytest.raises(NotAllowed):
        force_request_state(promotion=approved, state=State.FAILED, by=User.objects.get(pk=operator.pk), reason=REASON)


def test_a_reason_is_needed(approved, operator):
    with pytest.raises(InvalidInput):
        force_request_state(promotion=approved, state=State.FAILED, by=operator, reason="because")


@pytest.mark.parametrize("state", [state for state in State if state not in FORCEABLE])
def test_no_state_that_is_a_decision_can_be_forced(pending, root, state):
    with pytest.raises(WrongState, match="Nobody can force"):
        force_request_state(promotion=pending, state=state, by=root, reason=REASON)


@pytest.mark.parametrize("state", [State.DEPLOYED, State.FAILED, State.ROLLED_BACK])
def test_nothing_unapproved_becomes_deployed_not_even_for_an_author_who_is_superuser(make_request, root, tenant, state):
    own = make_request(by=root)
    with pytest.raises(WrongState, match="Nobody has approved"):
        force_request_state(promotion=own, state=state, by=root, reason=REASON)
    assert again(own).approved_by is None


def test_pending_starts_over_without_the_old_approval(approved, operator, devops, root):
    forced = force_request_state(promotion=approved, state=State.PENDING, by=operator, reason=REASON)
    assert (forced.approved_by, forced.approved_digest, forced.approval_comment) == (None, "", "")
    with pytest.raises(WrongState, match="Nobody has approved"):
        force_request_state(promotion=forced, state=State.DEPLOYED, by=root, reason=REASON)
    with pytest.raises(NotAllowed):
        approve_request(promotion=forced, by=devops)


def test_pending_again_deploys_by_a_new_attempt(approved, operator, cpi):
    forced = force_request_state(promotion=approved, state=State.PENDING, by=operator, reason=REASON)
    approve_request(promotion=forced, by=cpi)
    assert list(Deployment.objects.order_by("attempt").values_list("attempt", "state")) == [
        (1, "canceled"),
        (2, "queued"),
    ]


def test_a_job_that_may_run_has_to_be_stopped_first(approved, operator, cpi):
    deployment = approved.deployments.get()
    Deployment.objects.filter(pk=deployment.pk).update(state="running", job_id="7")
    with pytest.raises(WrongState, match="Stop it first") as refusal:
        force_request_state(promotion=approved, state=State.FAILED, by=operator, reason=REASON)
    assert refusal.value.code == "deployment_running"
    cancel_deployment(promotion=again(approved), by=cpi)
    force_request_state(promotion=again(approved), state=State.FAILED, by=operator, reason=REASON)
    assert approved.deployments.get().state == "canceled"
    assert begin_deployment(deployment=deployment) is None


def test_deployed_says_what_production_runs(approved, operator):
    force_request_state(promotion=approved, state=State.DEPLOYED, by=operator, reason=REASON)
    assert RunningVersion.objects.get(environment="prod").version == approved.version


def test_pending_is_refused_while_another_request_of_the_target_is_active(pending, make_request, operator, devops):
    withdrawn = withdraw_request(promotion=pending, by=devops)
    rival = make_request()
    with pytest.raises(Conflict, match=rival.number):
        force_request_state(promotion=withdrawn, state=State.PENDING, by=operator, reason=REASON)


def test_every_pair_of_states_is_either_done_or_refused_in_words(make_request, cpi, root, target, devops):
    """The database's constraints agree with the refusals: none is met by surprise."""
    makers = {
        "pending": lambda p: p,
        "rejected": lambda p: reject_request(promotion=p, by=cpi, reason=REASON),
        "withdrawn": lambda p: withdraw_request(promotion=p, by=devops),
        "approved": lambda p: approve_request(promotion=p, by=cpi),
    }
    for number, (before, make) in enumerate(makers.items()):
        for index, after in enumerate(State):
            promotion = make(make_request(target_name=f"thing-{number}-{index}"))
            assert promotion.state == before
            try:
                forced = force_request_state(promotion=promotion, state=after, by=root, reason=REASON)
            except DomainError as refusal:
                assert refusal.code == "cannot_force"
                assert again(promotion).state == before
            else:
                assert forced.state == after
