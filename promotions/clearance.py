"""What promotion requests have against a deployment that a pipeline asks about: nothing goes to production unapproved."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q

from events.chain.clearance import Answer, Objection, Question
from events.chain.kinds import environment_named
from promotions.models import PromotionRequest
from promotions.states import ACTIVE, State


def check_approval(question: Question) -> Iterable[Objection]:
    """A service that is promoted by requests needs an approved one for this environment (and this version).

    Services that were never asked for, and environments that no request leads to, are none of our business. The number
    of a request is told to those who may see it.
    """
    of_service = PromotionRequest.objects.filter(tenant=question.tenant, target_name=question.service)
    seen = PromotionRequest.objects.visible_to(question.user).filter(pk=OuterRef("pk"))
    current = of_service.filter(state__in=ACTIVE).annotate(is_seen=Exists(seen))
    if question.version:
        plain = question.version.removeprefix("v")
        current = current.filter(Q(version=plain) | Q(version=f"v{plain}"))
    request = current.order_by("-pk").first()
    newest = request or of_service.order_by("-pk").first()
    if newest is None or environment_named(newest.target_environment) != question.environment:
        return
    if request is None:
        what = f"{question.service} {question.version}".strip()
        yield Objection(
            Answer.PREVENTED, "no_request",
            f"Nobody asked to bring {what} to {question.environment}. Make a promotion request and have it approved.",
        )  # fmt: skip
    elif request.state in (State.PENDING, State.SCHEDULED):
        yield _waiting(request, seen=request.is_seen)


def _waiting(request: PromotionRequest, *, seen: bool) -> Objection:
    name = request.number if seen else "Its request"
    details = {"request": request.number} if seen else {}
    if request.state == State.SCHEDULED:
        message = f"{name} is approved for a later date."
        return Objection(Answer.AWAITING, "scheduled", message, request.scheduled_at, details)
    return Objection(Answer.AWAITING, "approval_pending", f"{name} waits for an approval.", None, details)
