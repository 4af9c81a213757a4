"""Break the glass: deploy now, approved afterwards by someone else; until then the review is owed and called in."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from accounts.models import User
from core.clock import now
from core.errors import WrongState
from core.failpoints import failpoint
from promotions import permissions
from promotions.models import PromotionRequest
from promotions.services.deployments import queue_deployment
from promotions.services.judgement import blocking_policies
from promotions.services.reminders import next_reminder
from promotions.services.transition import content_changed, load, move, publish_about, wrong_state
from promotions.states import PROMOTION, REVIEW, Review
from promotions.validation import MIN_EMERGENCY, MIN_REASON, clean_text


@transaction.atomic
def break_glass(*, promotion: PromotionRequest, by: User, reason: str, digest: str | None = None) -> PromotionRequest:
    """Deploy the content with `digest` at once, before anyone approved it, also against its date and the policies.

    Someone who neither asked for it nor broke the glass has to review it within BREAK_GLASS_REVIEW. Leaves
    `promotion.glass_broken` with the policies it overrode. NotAllowed (not_authorized), InvalidInput for a reason under
    twenty characters, WrongState (not_pending), Conflict (content_changed).
    """
    permissions.check_can_break_glass(by, promotion)
    reason = clean_text("reason", reason, minimum=MIN_EMERGENCY, what="reason")
    current = PromotionRequest.objects.select_for_update(of=("self",)).get(pk=promotion.pk)
    if PROMOTION.find(current.state, "break_glass") is None:
        raise wrong_state(current, "break_glass")
    reviewed = digest or promotion.digest
    if current.digest != reviewed:
        raise content_changed(current, reviewed)
    overridden = blocking_policies(current)
    moment = now()
    due = moment + settings.BREAK_GLASS_REVIEW
    queue_deployment(current)
    return move(
        current,
        "break_glass",
        by=by,
        data={"entry": {"comment": reason}, "digest": current.digest, "overridden": overridden},
        at=moment,
        glass_broken_by=by,
        glass_broken_at=moment,
        glass_reason=reason,
        glass_digest=current.digest,
        review_due_at=due,
        review_remind_at=due,
    )


@transaction.atomic
def approve_afterwards(*, promotion: PromotionRequest, by: User, comment: str = "") -> PromotionRequest:
    """Stand by what was deployed without approval; leaves `promotion.approved_afterwards`.

    NotAllowed (own_request, broke_the_glass, not_authorized), WrongState (nothing_to_review) naming who was first.
    """
    permissions.check_can_review(by, promotion)
    comment, moment = clean_text("comment", comment), now()
    return _review(
        promotion,
        "approve_afterwards",
        by=by,
        comment=comment,
        at=moment,
        approved_by=by,
        approved_at=moment,
        approval_comment=comment,
        approved_digest=F("glass_digest"),
    )


@transaction.atomic
def object_to_request(*, promotion: PromotionRequest, by: User, reason: str) -> PromotionRequest:
    """Say that it should not have been deployed, and why; nothing is undone by it, a rollback is asked for apart.

    Leaves `promotion.objected`; the deployment cannot be retried after that. Errors as of `approve_afterwards`, and
    InvalidInput for a reason under ten characters.
    """
    permissions.check_can_review(by, promotion)
    reason, moment = clean_text("reason", reason, minimum=MIN_REASON, what="reason"), now()
    return _review(
        promotion, "object", by=by, comment=reason, at=moment, objected_by=by, objected_at=moment, objection=reason
    )


def _review(
    promotion: PromotionRequest, verb: str, *, by: User, comment: str, at: dt.datetime, **updates: Any
) -> PromotionRequest:
    """One of two reviewers at the same time wins; the other is told who was first."""
    edge = REVIEW.find(Review.OWED, verb)
    assert edge is not None
    owed = PromotionRequest.objects.filter(pk=promotion.pk).review_owed()
    if not owed.update(updated_at=at, review_remind_at=None, **updates):
        raise _nothing_to_review(load(promotion))
    reviewed = load(promotion)
    data = {"entry": {"comment": comment}, "digest": reviewed.glass_digest}
    publish_about(reviewed, edge.fact, by=by, data=data, at=at)
    return reviewed


def _nothing_to_review(promotion: PromotionRequest) -> WrongState:
    first = promotion.objected_by or (promotion.approved_by if promotion.review == Review.APPROVED else None)
    verb = "objected to" if promotion.objected_by else "approved"
    told = f"{first.email} has {verb} it already" if first else "nobody broke the glass for it"
    return WrongState(
        f"{promotion.number} needs no review: {told}.",
        code="nothing_to_review",
        details={"review": promotion.review.value, "by": first.email if first else None},
    )


@transaction.atomic
def remind_reviewers(*, promotion: PromotionRequest) -> PromotionRequest:
    """Its review is overdue: tell those who may review it, and the CPI admins once that did not help.

    Leaves `promotion.review_reminded` or `promotion.review_escalated`. WrongState when it is reviewed, not due, or
    another sweep was faster. The next wait counts from now, so an outage is followed by one reminder.
    """
    moment, step = now(), promotion.review_reminders
    waits = settings.BREAK_GLASS_REMINDERS
    owed = PromotionRequest.objects.filter(pk=promotion.pk).review_owed()
    changed = owed.filter(review_reminders=step, review_remind_at__lte=moment).update(
        review_reminders=F("review_reminders") + 1,
        review_remind_at=next_reminder(moment, reminders=step, waits=waits),
    )
    if not changed:
        raise WrongState(f"Nobody needs to be reminded of {promotion.number} now.")
    reminded = load(promotion)
    overdue = moment - (reminded.review_due_at or moment)
    publish_about(
        reminded,
        "promotion.review_escalated" if step >= len(waits) else "promotion.review_reminded",
        by=None,
        data={"reminder": step + 1, "overdue_seconds": round(overdue.total_seconds())},
        at=moment,
    )
    failpoint("before_reminder_commit")
    return reminded
