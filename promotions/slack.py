"""Promotion requests in Slack: how a message shows one, and what its buttons do, under the same rules as everywhere."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from accounts.models import User
from events.models import DomainEvent
from events.slack.cards import Card, Click, context, escape, header, open_button, section
from events.slack.client import call
from promotions import permissions
from promotions.models import PromotionRequest
from promotions.pages.looks import IMPACTS, STATES
from promotions.services import approve_request, reject_request
from promotions.services.transition import visible_request, wrong_state
from promotions.states import State
from promotions.types import Impact
from promotions.validation import MIN_REASON

SIGNS = {
    State.PENDING: "🟡", State.APPROVED: "🔵", State.SCHEDULED: "🔵", State.DEPLOYING: "🔄", State.DEPLOYED: "🟢",
    State.REJECTED: "🔴", State.FAILED: "❌",
}  # fmt: skip
# What matters this much is read on its page before it is decided on.
PAGE_ONLY = {Impact.HIGH, Impact.CRITICAL}
LISTED = 20


def card(fact: DomainEvent) -> Card:
    """The request as it is now: what, who, how far, and the buttons that a decision needs."""
    related = ("tenant", "author", "approved_by", "rejected_by")
    promotion = PromotionRequest.objects.select_related(*related).get(number=fact.subject_id)
    state = STATES[promotion.state].label
    title = f"{promotion.number} {promotion.title}: {state}"
    blocks = [
        header(f"{SIGNS.get(State(promotion.state), '⚪')} {title}"),
        section(
            escape(promotion.justification),
            ("Tenant", promotion.tenant.slug),
            ("Requested by", promotion.author.email),
            ("Impact", IMPACTS[promotion.impact].label),
            ("State", state),
        ),
    ]
    if told := _what_happened(promotion):
        blocks.append(context(told))
    return Card(title, [*blocks, _buttons(promotion)])


def _what_happened(promotion: PromotionRequest) -> str:
    if promotion.rejected_by:
        return f"Rejected by {escape(promotion.rejected_by.email)}: {escape(promotion.rejection_reason)}"
    if promotion.approved_by:
        said = f": {escape(promotion.approval_comment)}" if promotion.approval_comment else ""
        return f"Approved by {escape(promotion.approved_by.email)}{said}"
    return ""


def _buttons(promotion: PromotionRequest) -> dict[str, Any]:
    """To be pressed while it waits; the approval carries what was to be seen here, so that it says yes to nothing else."""
    elements = [open_button(f"{settings.SITE_URL}/requests/{promotion.number}/")]
    if promotion.state == State.PENDING and promotion.impact not in PAGE_ONLY:
        approve = _button("approve", "Approve", promotion.digest, "primary")
        approve["confirm"] = {
            "title": {"type": "plain_text", "text": "Approve?"},
            "text": {"type": "plain_text", "text": f"{promotion.number} goes to production: {promotion.title}."[:300]},
            "confirm": {"type": "plain_text", "text": "Approve"},
            "deny": {"type": "plain_text", "text": "Not yet"},
        }
        elements = [approve, _button("reject", "Reject", promotion.digest, "danger"), *elements]
    return {"type": "actions", "block_id": f"promotion:{promotion.number}", "elements": elements}


def _button(action: str, text: str, value: str, style: str) -> dict[str, Any]:
    label = {"type": "plain_text", "text": text}
    return {"type": "button", "action_id": action, "text": label, "value": value, "style": style}


def act(*, click: Click, by: User) -> str:
    """Approve, ask for the reason of a rejection, or reject; what is said to the person. Refusals fly as everywhere."""
    promotion = visible_request(by, click.subject_id)
    if click.fields:
        reject_request(promotion=promotion, by=by, reason=click.fields.get("reason", ""))
        return f"You rejected {promotion.number}."
    if click.action == "approve":
        return _approve(promotion, click, by)
    if click.action == "reject":
        return _ask_for_reason(promotion, click, by)
    return "This button does nothing any more."


def _approve(promotion: PromotionRequest, click: Click, by: User) -> str:
    if promotion.impact in PAGE_ONLY:
        address = f"{settings.SITE_URL}/requests/{promotion.number}/"
        return f"{IMPACTS[promotion.impact].label}: decide on the page, where everything is to be seen. {address}"
    approve_request(promotion=promotion, by=by, digest=click.value or "missing")
    return f"You approved {promotion.number}."


def _ask_for_reason(promotion: PromotionRequest, click: Click, by: User) -> str:
    permissions.check_can_reject(by, promotion)
    if promotion.state != State.PENDING:
        raise wrong_state(promotion, "reject")
    field = {"type": "plain_text_input", "action_id": "reason", "multiline": True, "min_length": MIN_REASON}
    view = {
        "type": "modal",
        "callback_id": "promotion:reject",
        "private_metadata": f"{promotion.number}|{click.place}",
        "title": {"type": "plain_text", "text": f"Reject {promotion.number}"[:24]},
        "submit": {"type": "plain_text", "text": "Reject"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            {
                "type": "input",
                "block_id": "why",
                "label": {"type": "plain_text", "text": "Reason, for the requester and the record"},
                "element": field,
            }
        ],
    }
    call("views.open", trigger_id=click.trigger, view=view)
    return ""


def list_approvals(user: User, rest: str) -> str:
    """`/stagepass approvals`: what waits for this person's decision, longest first."""
    waiting = PromotionRequest.objects.decidable_by(user).select_related("tenant").order_by("id")[: LISTED + 1]
    lines = [
        f"<{settings.SITE_URL}/requests/{each.number}/|{each.number}> {escape(each.title)}, {each.tenant.slug},"
        f" since {each.created_at:%Y-%m-%d %H:%M} UTC"
        for each in waiting
    ]
    if len(lines) > LISTED:
        lines[LISTED:] = ["… and more"]
    return "\n".join(lines) or "Nothing waits for your decision."
