"""Named back doors for operators: what a person with the right may set straight, with a reason and a fact of its own."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import User
from core.clock import now
from core.errors import StaleState, WrongState
from promotions import permissions
from promotions.models import Deployment, PromotionRequest
from promotions.services.deployments import set_running_version
from promotions.services.transition import load, one_active, publish_about
from promotions.states import FORCEABLE, NEEDS_APPROVAL, DeploymentState, Review, State
from promotions.validation import MIN_REASON, clean_text

_UNDECIDED: dict[str, Any] = {
    "approved_by": None,
    "approved_at": None,
    "approval_comment": "",
    "approved_digest": "",
    "rejected_by": None,
    "rejected_at": None,
    "rejection_reason": "",
    "glass_broken_by": None,
    "glass_broken_at": None,
    "glass_reason": "",
    "glass_digest": "",
    "review_due_at": None,
    "review_remind_at": None,
    "review_reminders": 0,
    "objected_by": None,
    "objected_at": None,
    "objection": "",
}


@transaction.atomic
def force_request_state(*, promotion: PromotionRequest, state: str, by: User, reason: str) -> PromotionRequest:
    """Put a request that is stuck into `state`, past the usual steps; leaves `promotion.forced` with from, to and why.

    It never approves: only an approval that someone else gave to this very content, or the glass broken for it, leads to
    failed, deployed or rolled back, and pending starts over without any. NotAllowed without the operator's right,
    InvalidInput for a reason under ten characters, WrongState (cannot_force, deployment_running, review_owed), Conflict
    while another request of the target is active.
    """
    permissions.check_can_force(by, promotion)
    reason = clean_text("reason", reason, minimum=MIN_REASON, what="reason")
    current = PromotionRequest.objects.select_for_update(of=("self",)).get(pk=promotion.pk)
    if current.state != promotion.state:
        raise StaleState(f"{current.number} became {current.state} in the meantime. Look again, then decide.")
    _refuse_impossible(current, state)
    moment = now()
    _close_attempts(current, moment)
    try:
        with transaction.atomic():
            PromotionRequest.objects.filter(pk=current.pk, state=current.state).update(
                state=state, updated_at=moment, **_consequences(current, state, moment)
            )
    except IntegrityError as error:
        raise one_active(current.tenant, current.content, error) from error
    forced = load(current)
    data = {"entry": {"comment": reason, "from": current.state, "to": state}}
    publish_about(forced, "promotion.forced", by=by, data=data, at=moment)
    return forced


def _refuse_impossible(promotion: PromotionRequest, state: str) -> None:
    if state not in FORCEABLE:
        raise WrongState(
            f"Nobody can force a request to be {state}. Possible: {', '.join(FORCEABLE)}.",
            code="cannot_force",
            field="state",
        )
    if state == promotion.state:
        raise WrongState(f"{promotion.number} is {state} already.", code="cannot_force", field="state")
    if state not in NEEDS_APPROVAL and promotion.review == Review.OWED:
        raise WrongState(
            f"The glass of {promotion.number} was broken and nobody has reviewed it. Have it reviewed first.",
            code="review_owed",
            field="state",
        )
    if state in NEEDS_APPROVAL and promotion.digest not in {promotion.approved_digest, promotion.glass_digest}:
        raise WrongState(
            f"Nobody has approved this content of {promotion.number}, so it cannot be {state}. Force it to pending, and "
            "have it approved.",
            code="cannot_force",
            field="state",
        )


def _close_attempts(promotion: PromotionRequest, moment: dt.datetime) -> None:
    """End what is on its way in our books; a job that may really run has to be asked to stop first."""
    active = promotion.deployments.active()
    if active.exclude(state=DeploymentState.QUEUED).filter(cancel_requested_at=None).exists():
        raise WrongState(
            f"A deployment of {promotion.number} may be running. Stop it first; force the state only if that does not help.",
            code="deployment_running",
        )
    Deployment.objects.active().filter(promotion=promotion).update(
        state=DeploymentState.CANCELED,
        finished_at=moment,
        error="Closed by an operator who forced the request's state.",
    )


def _consequences(promotion: PromotionRequest, state: str, moment: dt.datetime) -> dict[str, Any]:
    """What else is true in the new state."""
    if state == State.PENDING:
        return {**_UNDECIDED, "expires_at": moment + settings.PROMOTION_LIFETIME}
    if state == State.DEPLOYED:
        replaced = set_running_version(promotion)
        return {"deployed_at": moment, "replaced_version": promotion.replaced_version or replaced}
    return {}
