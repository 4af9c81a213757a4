"""Approve and reject: four eyes, bound to the content that was reviewed, one winner under any race."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from core.clock import now
from core.failpoints import failpoint
from promotions import permissions
from promotions.models import PromotionRequest
from promotions.services.deployments import queue_deployment
from promotions.services.judgement import refuse_if_blocked
from promotions.services.transition import content_changed, move, wrong_state
from promotions.states import PROMOTION
from promotions.validation import MIN_REASON, clean_text


@transaction.atomic
def approve_request(
    *, promotion: PromotionRequest, by: User, comment: str = "", digest: str | None = None
) -> PromotionRequest:
    """Say yes to exactly the content with `digest` (default: the content of `promotion` as the caller read it).

    The request becomes approved and its deployment is queued, or scheduled when it asks for a later date; leaves
    `promotion.approved`. NotAllowed (own_request, not_authorized), WrongState (not_pending) naming who decided,
    Conflict (content_changed) naming the fields that changed since the review, Conflict (policy_blocked).
    """
    permissions.check_can_approve(by, promotion)
    comment = clean_text("comment", comment)
    current = PromotionRequest.objects.select_for_update(of=("self",)).get(pk=promotion.pk)
    if PROMOTION.find(current.state, "approve") is None:
        raise wrong_state(current, "approve")
    reviewed = digest or promotion.digest
    if current.digest != reviewed:
        raise content_changed(current, reviewed)
    refuse_if_blocked(current)
    moment = now()
    later = current.scheduled_at is not None and current.scheduled_at > moment
    if not later:
        queue_deployment(current)
    approved = move(
        current,
        "approve_for_later" if later else "approve",
        by=by,
        data={"entry": {"comment": comment}, "digest": current.digest},
        at=moment,
        approved_by=by,
        approved_at=moment,
        approval_comment=comment,
        approved_digest=current.digest,
    )
    failpoint("before_approve_commit")
    transaction.on_commit(lambda: failpoint("after_approve_commit"))
    return approved


@transaction.atomic
def reject_request(*, promotion: PromotionRequest, by: User, reason: str) -> PromotionRequest:
    """Say no, with a reason of at least ten characters; leaves `promotion.rejected`."""
    permissions.check_can_reject(by, promotion)
    reason = clean_text("reason", reason, minimum=MIN_REASON, what="reason")
    moment = now()
    return move(
        promotion,
        "reject",
        by=by,
        data={"entry": {"comment": reason}},
        at=moment,
        rejected_by=by,
        rejected_at=moment,
        rejection_reason=reason,
    )
