"""One step of a promotion request: compare-and-set, then the fact with the document as it is afterwards."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from django.db import IntegrityError, connection

from accounts.models import Tenant, User
from accounts.roles import Capability
from core.clock import now
from core.errors import Conflict, NotFound, WrongState
from events.models import DomainEvent
from events.preferences import muting
from events.services import publish
from events.types import Audience, Subject
from promotions.models import PromotionRequest
from promotions.states import PROMOTION, State
from promotions.types import PromotionContent
from promotions.wire import ACTIONS, history_entry, render_history, render_promotion, spell_field

SUBJECT_TYPE = "promotion"
NUMBER = re.compile(r"PR-[0-9]{4}-[0-9]{4,10}")


_PENDING_VERBS = {"approve", "approve_for_later", "break_glass", "reject", "edit", "withdraw"}


def load(promotion: PromotionRequest) -> PromotionRequest:
    """The request as it is now, with everything its document needs."""
    return PromotionRequest.objects.with_document().get(pk=promotion.pk)


def move(
    promotion: PromotionRequest,
    verb: str,
    *,
    by: User | None,
    data: dict[str, Any] | None = None,
    at: dt.datetime | None = None,
    **updates: Any,
) -> PromotionRequest:
    """Take `verb` from the state the caller saw, writing `updates` with it; WrongState when another step came first.

    Compare-and-set makes one winner of any race; the loser's error tells who won.
    """
    _require_transaction()
    edge = PROMOTION.find(promotion.state, verb)
    if edge is None:
        raise wrong_state(load(promotion), verb)
    moment = at or now()
    changed = PromotionRequest.objects.filter(pk=promotion.pk, state=edge.source).update(
        state=edge.target, updated_at=moment, **updates
    )
    if not changed:
        raise wrong_state(load(promotion), verb)
    moved = load(promotion)
    publish_about(moved, edge.fact, by=by, data=data or {}, at=moment)
    return moved


def publish_about(
    promotion: PromotionRequest,
    fact_type: str,
    *,
    by: User | None,
    data: dict[str, Any],
    at: dt.datetime | None = None,
) -> DomainEvent:
    """The fact of a step, carrying the whole document for the audit trail; only ACTIONS add to its history."""
    moment = at or now()
    earlier = DomainEvent.objects.about(SUBJECT_TYPE, promotion.number).filter(type__in=list(ACTIONS))
    history = render_history(earlier.order_by("sequence"))
    if fact_type in ACTIONS:
        history.append(history_entry(fact_type, moment, by.email if by else "system", data))
    document = render_promotion(promotion, history)
    return publish(
        type=fact_type,
        subject=Subject(SUBJECT_TYPE, promotion.number, f"{promotion.number} {promotion.title}"),
        tenant=promotion.tenant,
        by=by,
        data={**data, "document": document},
        audience=Audience.of(Capability.VIEW_PROMOTIONS, [promotion.author]),
        at=moment,
    )


def _require_transaction() -> None:
    assert connection.in_atomic_block, "a step and its fact belong in one transaction"


def wrong_state(promotion: PromotionRequest, verb: str) -> WrongState:
    """The refusal for a step that is not possible now, with who did what before."""
    who, when = _last_decision(promotion)
    state = State(promotion.state).label.lower()
    told = f" {who} did that at {when:%Y-%m-%d %H:%M:%S} UTC." if who and when else ""
    code = "not_pending" if verb in _PENDING_VERBS else "wrong_state"
    opening = "Request not pending" if code == "not_pending" else f"Cannot {verb.replace('_', ' ')}"
    return WrongState(
        f"{opening}: {promotion.number} is {state}.{told}",
        code=code,
        details={"state": promotion.state, "by": who},
    )


def _last_decision(promotion: PromotionRequest) -> tuple[str, Any]:
    if promotion.state == State.REJECTED and promotion.rejected_by:
        return promotion.rejected_by.email, promotion.rejected_at
    if promotion.glass_broken_by:
        return promotion.glass_broken_by.email, promotion.glass_broken_at
    if promotion.approved_by:
        return promotion.approved_by.email, promotion.approved_at
    return "", None


def one_active(tenant: Tenant, content: PromotionContent, error: IntegrityError) -> Exception:
    """The refusal to start a second active request of a target; any other database error passes through."""
    if "promotion_one_active_per_target" not in str(error):
        return error
    rival = (
        PromotionRequest.objects.active()
        .filter(tenant=tenant, target_type=content.target_type, target_name=content.target_name)
        .first()
    )
    number = rival.number if rival else "another request"
    state = f", which is {rival.state}" if rival else ""
    return Conflict(
        f"{content.target_name} already has {number}{state}. Finish or withdraw that one first.",
        code="active_request_exists",
        field="target.name",
        details={"active": number},
    )


def content_changed(
    promotion: PromotionRequest, reviewed: str, remedy: str = "Read it again, then decide."
) -> Conflict:
    """The refusal to act on something else than was read; tells what changed since."""
    edits = DomainEvent.objects.about(SUBJECT_TYPE, promotion.number).filter(type="promotion.edited")
    changed: set[str] = set()
    seen = False
    for fact in edits.order_by("sequence"):
        seen = seen or fact.data["digest_before"] == reviewed
        if seen:
            changed |= set(fact.data["changed"])
    what = ", ".join(spell_field(name) for name in sorted(changed)) or "its content"
    return Conflict(
        f"{promotion.number} changed since you {'reviewed' if 'decide' in remedy else 'opened'} it ({what}). {remedy}",
        code="content_changed",
        field="digest",
        details={"changed": sorted(changed), "digest": promotion.digest},
    )


def visible_request(user: User, number: str) -> PromotionRequest:
    """The request with this number if `user` may see it, and whether they muted it (`is_muted`).

    NotFound says the same for none and for hidden ones.
    """
    found = (
        PromotionRequest.objects.visible_to(user)
        .with_document()
        .annotate(is_muted=muting(user, SUBJECT_TYPE, "number"))
        .filter(number=number)
        .first()
        if NUMBER.fullmatch(number)
        else None
    )
    if found is None:
        raise NotFound(f"There is no request {number[:40]} that you may see.")
    return found
