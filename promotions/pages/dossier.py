"""One request in full: what it changes, its way so far, and what this person may do with it, or why not."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models.functions import Right, Upper

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import has_capability
from events.models import DomainEvent
from promotions import permissions
from promotions.models import Deployment, PromotionRequest
from promotions.pages.looks import FIELDS, IMPACTS, STEPS, Look
from promotions.policies.base import Outcome, Verdict
from promotions.selectors import running_versions
from promotions.services.transition import SUBJECT_TYPE
from promotions.states import DEPLOYMENT_ACTIVE, PROMOTION, Review, State
from tickets.models import Ticket

SHOWN_LOG = 48 * 1024


@dataclass(slots=True)
class Action:
    """A verb as a button: allowed, or shown with the reason why not."""

    verb: str
    label: str
    shape: str
    look: str = ""
    reason: str = ""
    key: str = ""

    @property
    def slug(self) -> str:
        return self.verb.replace("_", "-")


_Check = Callable[[User, PromotionRequest], None]


def actions_for(
    user: User, promotion: PromotionRequest, verdicts: list[Verdict], running: Deployment | None
) -> list[Action]:
    """The verbs that the state permits; those the person may not use carry the reason."""
    offered: list[tuple[Action, _Check]] = []
    if PROMOTION.find(promotion.state, "approve"):
        offered.append((Action("approve", "Approve", "check", "primary", key="a"), permissions.check_can_approve))
    if PROMOTION.find(promotion.state, "reject"):
        offered.append((Action("reject", "Reject", "x", "danger", key="r"), permissions.check_can_reject))
    if PROMOTION.find(promotion.state, "break_glass") and not permissions.reason_against(
        permissions.check_can_break_glass, user, promotion
    ):  # for the few who may; to all others it would be noise
        action = Action("break_glass", "Break the glass", "triangle-alert", "danger")
        offered.append((action, permissions.check_can_break_glass))
    if promotion.review == Review.OWED:
        yes = Action("approve_afterwards", "Approve afterwards", "check", "primary", key="a")
        offered.append((yes, permissions.check_can_review))
        offered.append((Action("object", "Object", "x", "danger", key="r"), permissions.check_can_review))
    if promotion.state == State.FAILED:
        offered.append((Action("retry", "Retry deployment", "rotate-cw", "primary"), permissions.check_can_retry))
    if running is not None and running.cancel_requested_at is None:
        offered.append((Action("cancel", "Stop deployment", "ban", "danger"), permissions.check_can_cancel))
    if promotion.state == State.DEPLOYED:
        look = "danger" if promotion.review == Review.OBJECTED else ""
        offered.append((Action("roll_back", "Roll back", "undo-2", look), permissions.check_can_roll_back))
    if promotion.author_id == user.pk and PROMOTION.find(promotion.state, "withdraw"):
        offered.append((Action("withdraw", "Withdraw", "undo-2"), permissions.check_can_withdraw))
    for action, check in offered:
        action.reason = permissions.reason_against(check, user, promotion) or _obstacle(action, promotion, verdicts)
    return [action for action, _ in offered]


def _obstacle(action: Action, promotion: PromotionRequest, verdicts: list[Verdict]) -> str:
    """What stands against the verb apart from the person's rights."""
    if action.verb == "approve":
        blocking = [f"{verdict.title}: {verdict.reason}" for verdict in verdicts if verdict.outcome == Outcome.BLOCK]
        return f"A policy stops the approval. {'; '.join(blocking)}." if blocking else ""
    if action.verb == "retry" and promotion.review == Review.OBJECTED:
        return "Someone objected to it. Create another request."
    if action.verb == "roll_back" and not promotion.replaced_version:
        return "What ran before is not known. Create a request for the version you want."
    return ""


@dataclass(slots=True)
class Change:
    """One thing that differs in production afterwards."""

    label: str
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    note: str = ""
    lines: list[dict[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Comparison:
    """Production now against the candidate."""

    changes: list[Change]
    against: PromotionRequest | None
    known: bool


def compare_with_production(user: User, promotion: PromotionRequest) -> Comparison:
    """What the request changes: the version that runs, and its content against the last request deployed there.

    The content of a request that `user` may not see is left out.
    """
    running = running_versions(promotion).get(promotion.target_environment)
    earlier = running.promotion if running else None
    # Once deployed, production runs this very request: what it replaced is on record.
    deployed = earlier is not None and earlier.pk == promotion.pk
    before = promotion.replaced_version if deployed or promotion.deployed_at else (running.version if running else "")
    if deployed or (earlier is not None and not _may_see(user, earlier)):
        earlier = None
    changes = [_version_change(before, promotion)]
    if earlier is not None and promotion.deployed_at is None:
        changes += list(_content_changes(earlier, promotion))
    elif promotion.tickets:
        changes.append(Change("Tickets", after=list(promotion.tickets)))
    return Comparison(changes, earlier if promotion.deployed_at is None else None, known=bool(before))


def _may_see(user: User, promotion: PromotionRequest) -> bool:
    return promotion.author_id == user.pk or has_capability(user, Capability.VIEW_PROMOTIONS, promotion.tenant_id)


def _version_change(before: str, promotion: PromotionRequest) -> Change:
    if not before:
        return Change("Version", after=[promotion.version], note="Production is not known to run it yet")
    if before == promotion.version:
        return Change("Version", same=[promotion.version], note="Production already runs this version")
    return Change("Version", before=[before], after=[promotion.version])


def _content_changes(earlier: PromotionRequest, promotion: PromotionRequest) -> Iterable[Change]:
    old, new = set(earlier.tickets), set(promotion.tickets)
    if old != new:
        yield Change("Tickets", before=sorted(old - new), after=sorted(new - old), same=sorted(old & new))
    if earlier.impact != promotion.impact:
        yield Change("Impact", before=[IMPACTS[earlier.impact].label], after=[IMPACTS[promotion.impact].label])
    for label, before, after in (
        ("Release notes", earlier.release_notes, promotion.release_notes),
        ("Rollback plan", earlier.rollback_plan, promotion.rollback_plan),
    ):
        if before.strip() != after.strip():
            yield Change(label, lines=compare_lines(before, after))


def compare_lines(before: str, after: str) -> list[dict[str, str]]:
    """The two texts line by line, with one line of context around each difference."""
    shown = []
    # The first two lines of a unified diff name the files.
    for line in list(difflib.unified_diff(before.strip().splitlines(), after.strip().splitlines(), n=1, lineterm=""))[
        2:
    ]:
        if line.startswith("@@"):
            continue
        kind = {"+": "add", "-": "del"}.get(line[0], "same")
        shown.append({"kind": kind, "sign": {"add": "+", "del": "−", "same": ""}[kind], "text": line[1:]})
    return shown


@dataclass(slots=True)
class Entry:
    """One step on the timeline."""

    what: str
    tone: str
    shape: str = ""
    who: str = ""
    at: Any = None
    said: str = ""
    error: str = ""
    detail: str = ""
    open: bool = False


def timeline_of(promotion: PromotionRequest, facts: Iterable[dict[str, Any]]) -> list[Entry]:
    """What happened, oldest first, and what is awaited."""
    entries = [_entry(fact) for fact in facts]
    awaited = {
        State.PENDING: "Awaiting approval by someone with the CPI role",
        State.SCHEDULED: f"Deploys on {promotion.scheduled_at:%d %b %Y at %H:%M} UTC" if promotion.scheduled_at else "",
        State.APPROVED: "Awaiting its deployment",
        State.DEPLOYING: "Deploying",
    }.get(State(promotion.state), "")
    open_ends = [awaited] if awaited else []
    if promotion.review == Review.OWED:
        open_ends.append(f"Awaiting a review by someone else until {promotion.review_due_at:%d %b %Y at %H:%M} UTC")
    return entries + [Entry(end, "grey", open=True) for end in open_ends]


def _entry(fact: dict[str, Any]) -> Entry:
    look = STEPS.get(fact["type"], Look(fact["type"], "grey", "info"))
    told = fact["data__entry"] or {}
    return Entry(
        what=look.label,
        tone=look.tone,
        shape=look.shape,
        who="" if fact["actor_id"] is None else fact["actor_label"],
        at=fact["occurred_at"],
        said=told.get("comment", ""),
        error=told.get("error", ""),
        detail=_detail(fact, told),
    )


def _detail(fact: dict[str, Any], told: dict[str, Any]) -> str:
    if fact["data__changed"]:
        return "Changed: " + ", ".join(FIELDS.get(name, name) for name in fact["data__changed"])
    if told.get("jobId"):
        return f"Job {told['jobId']} · {told.get('deploymentId', '')}"
    if fact["data__overridden"]:
        return "Overrode " + "; ".join(fact["data__overridden"])
    if told.get("from"):
        return f"From {told['from']} to {told['to']}"
    return f"By {fact['data__rolled_back_by']}" if fact["data__rolled_back_by"] else ""


def facts_about(promotion: PromotionRequest) -> Iterable[Any]:
    """All facts of a request that the person was shown, oldest first, without the documents they carry."""
    facts = DomainEvent.objects.about(SUBJECT_TYPE, promotion.number).order_by("sequence")
    return facts.values(
        "type", "occurred_at", "actor_id", "actor_label", "data__entry", "data__changed", "data__rolled_back_by",
        "data__overridden",
    )  # fmt: skip


def steps_of(promotion: PromotionRequest) -> list[dict[str, str]]:
    """The way of a request as steps: done, now, bad or still to come."""
    state = State(promotion.state)
    if state in {State.REJECTED, State.WITHDRAWN, State.EXPIRED} and promotion.approved_at is None:
        return [_step("Requested", "done"), _step(state.label, "bad", "red" if state == State.REJECTED else "grey")]
    if state in {State.REJECTED, State.WITHDRAWN}:
        return [_step("Requested", "done"), _step("Approved", "done"), _step(state.label, "bad", "red")]
    reached = {
        State.PENDING: 1, State.SCHEDULED: 2, State.APPROVED: 2, State.DEPLOYING: 2, State.FAILED: 2,
        State.DEPLOYED: 4, State.ROLLED_BACK: 4,
    }.get(state, 4)  # fmt: skip
    names = ["Requested", "Approved", "Deploying", "Deployed"]
    if state == State.SCHEDULED:
        names[2] = "Scheduled"
    if state == State.PENDING:
        names[1] = "Approval"
    if promotion.review != Review.NONE:
        names[1] = "Approved afterwards" if promotion.review == Review.APPROVED else "Glass broken"
    steps = [
        _step(
            name,
            "done" if index < reached else "now" if index == reached else "",
            "green" if index < reached else "amber" if state == State.PENDING else "blue",
        )
        for index, name in enumerate(names)
    ]
    if promotion.review in {Review.OWED, Review.OBJECTED}:
        steps[1] = _step(names[1], "bad", "red")
    if state == State.FAILED:
        steps[2] = _step("Failed", "bad", "red")
    if state == State.ROLLED_BACK:
        steps.append(_step("Rolled back", "bad", "violet"))
    return steps


def _step(label: str, state: str, tone: str = "green") -> dict[str, str]:
    return {"label": label, "state": state, "tone": tone}


@dataclass(frozen=True, slots=True)
class Attempts:
    """The newest deployment attempt, with the end of its output as `tail`, and whether it still runs."""

    newest: Deployment | None

    @property
    def running(self) -> Deployment | None:
        return self.newest if self.newest is not None and self.newest.state in DEPLOYMENT_ACTIVE else None


def attempts_of(promotion: PromotionRequest) -> Attempts:
    """How the deployment of a request goes; before it is released there is none."""
    if promotion.state in (State.PENDING, State.SCHEDULED):
        return Attempts(None)
    newest = promotion.deployments.defer("log", "options", "result").annotate(tail=Right("log", SHOWN_LOG))
    return Attempts(newest.order_by("-attempt").first())


def tickets_named(user: User, promotion: PromotionRequest) -> list[tuple[str, Ticket | None]]:
    """The keys the request names, each with its ticket where there is one that `user` may see."""
    if not promotion.tickets:
        return []
    found = Ticket.objects.visible_to(user).filter(tenant=promotion.tenant_id).select_related("tenant")
    keys = [key.upper() for key in promotion.tickets]
    by_key = {ticket.key.upper(): ticket for ticket in found.alias(name=Upper("key")).filter(name__in=keys)}
    return [(key, by_key.get(key.upper())) for key in promotion.tickets]
