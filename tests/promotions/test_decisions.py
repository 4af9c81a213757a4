"""Approve and reject: four eyes, the reviewed content, and what is left on record."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from core.errors import Conflict, InvalidInput, NotAllowed, WrongState
from events.models import DomainEvent
from promotions.models import PromotionRequest
from promotions.services import approve_request, edit_request, reject_request
from promotions.services.transition import load
from promotions.states import State
from tests.conftest import content


def test_approval_is_recorded_and_queues_exactly_one_deployment(pending, cpi, target):
    approved = approve_request(promotion=pending, by=cpi, comment="Looks right")

    assert approved.state == State.APPROVED
    assert (approved.approved_by, approved.approval_comment, approved.approved_digest) == (
        cpi, "Looks right", pending.digest,
    )  # fmt: skip
    deployment = approved.deployments.get()
    assert (deployment.attempt, deployment.state, deployment.deployer) == (1, "queued", "none")
    fact = DomainEvent.objects.get(type="promotion.approved")
    assert fact.actor_id == cpi.public_id
    assert fact.data["document"]["status"]["history"][-1] == {
        "action": "approved", "at": fact.data["document"]["status"]["approvedAt"], "by": cpi.email,
        "comment": "Looks right",
    }  # fmt: skip


def test_nobody_decides_on_their_own_request_not_even_with_every_right(make_request, cpi, cpi_admin, root):
    for author in (cpi, cpi_admin, root):
        own = make_request(by=author, target_name=f"api-of-{author.pk}")
        for verb, words in ((approve_request, {}), (reject_request, {"reason": "I changed my mind"})):
            with pytest.raises(NotAllowed) as refusal:
                verb(promotion=own, by=author, **words)
            assert refusal.value.code == "own_request"
        assert load(own).state == State.PENDING


def test_the_database_itself_refuses_an_author_as_approver(pending):
    with pytest.raises(IntegrityError, match="promotion_approver_is_not_author"), transaction.atomic():
        PromotionRequest.objects.filter(pk=pending.pk).update(
            approved_by=pending.author, approved_at=pending.created_at, approved_digest=pending.digest
        )


@pytest.mark.parametrize("role", ["devops", "other_devops", "viewer", "outsider", "worker"])
def test_only_deciders_of_the_tenant_approve(role, request, make_request, cpi_admin):
    promotion = make_request(by=cpi_admin)
    with pytest.raises(NotAllowed) as refusal:
        approve_request(promotion=promotion, by=request.getfixturevalue(role))
    assert refusal.value.code == "not_authorized"


def test_second_decision_is_told_who_was_first(pending, cpi, other_cpi, target):
    approve_request(promotion=pending, by=cpi)
    for verb, words in ((approve_request, {}), (reject_request, {"reason": "Too late for this"})):
        with pytest.raises(WrongState) as refusal:
            verb(promotion=pending, by=other_cpi, **words)
        assert refusal.value.code == "not_pending"
        assert cpi.email in refusal.value.message


def test_content_that_changed_since_the_review_is_not_approved(pending, devops, cpi):
    edit_request(promotion=pending, content=content(version="2.2.0", impact="high"), by=devops)
    with pytest.raises(Conflict) as refusal:
        approve_request(promotion=pending, by=cpi, digest=pending.digest)
    assert refusal.value.code == "content_changed"
    assert refusal.value.details["changed"] == ["request.impactAssessment", "target.version"]
    assert approve_request(promotion=load(pending), by=cpi).version == "2.2.0"


@pytest.mark.parametrize("reason", ["", "too short", "         a        "])
def test_rejection_needs_a_reason_of_ten_characters(pending, cpi, reason):
    with pytest.raises(InvalidInput) as refusal:
        reject_request(promotion=pending, by=cpi, reason=reason)
    assert refusal.value.field == "reason"
    assert load(pending).state == State.PENDING


def test_rejection_is_on_record(pending, cpi):
    rejected = reject_request(promotion=pending, by=cpi, reason="The evidence is of another build")
    assert (rejected.state, rejected.rejected_by) == (State.REJECTED, cpi)
    assert DomainEvent.objects.get(type="promotion.rejected").data["document"]["status"]["rejectionReason"] == (
        "The evidence is of another build"
    )
