"""One ticket in full: its plan and who has the stage, what was said, what hangs together, and what may be done or why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from accounts.models import Tenant, User
from core.errors import NotAllowed
from core.looks import Look
from core.plugins import load_callable
from events.models import DomainEvent
from tickets import permissions
from tickets.models import StageTask, Ticket
from tickets.pages.looks import STEPS, VERBS
from tickets.selectors import explain_claim, ticket_history
from tickets.services.plans import check_no_gate_ahead
from tickets.states import DECISIONS, MOVES, TASK_OPEN, TICKET, TaskState
from tickets.types import JIRA_SURFACE, Reason

SHOWN_FACTS = 100
SHOWN_COMMENTS = 100
SHOWN_RELATED = 50


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


@dataclass(slots=True)
class Actions:
    """What may be done: what the plan asks for next, steps of the ticket's life, and its end."""

    next: list[Action] = field(default_factory=list)
    moves: list[Action] = field(default_factory=list)
    ends: list[Action] = field(default_factory=list)

    def __iter__(self) -> Any:
        return iter([*self.next, *self.moves, *self.ends])

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """Each reason once, after the verbs it stands against."""
        told: dict[str, list[str]] = {}
        for action in self:
            if action.reason:
                told.setdefault(action.reason, []).append(action.label)
        return [(", ".join(labels), reason) for reason, labels in told.items()]


_MOVE_SHAPES = {
    "start": "arrow-right", "request_review": "eye", "finish_review": "check", "start_testing": "shield-check",
    "request_approval": "clock", "approve": "check", "decline": "x", "resolve": "circle-check", "reopen": "rotate-cw",
}  # fmt: skip


def actions_for(user: User, ticket: Ticket, task: StageTask | None) -> Actions:
    """The verbs that state and plan permit; those the person may not use carry the reason."""
    may_edit = permissions.reason_against(permissions.check_can_edit, user, ticket.tenant)
    may_decide = _cached(lambda: permissions.reason_against(permissions.check_can_decide, user, ticket))
    past_gates = _cached(lambda: _against_finishing(user, ticket))
    found = Actions(next=list(_plan_actions(user, ticket, task, may_edit, may_decide)))
    for verb in MOVES:
        if TICKET.find(ticket.state, verb) is None or (verb in DECISIONS and ticket.at_gate):
            continue
        reason = may_decide() if verb in DECISIONS else may_edit
        if verb == "resolve":
            reason = reason or past_gates()
        look = {"approve": "primary", "decline": "danger"}.get(verb, "")
        action = Action(verb, VERBS[verb], _MOVE_SHAPES[verb], look, reason)
        (found.next if verb in (*DECISIONS, "reopen") else found.moves).append(action)
    if not ticket.is_closed:
        if ticket.progress:
            found.moves.append(Action("go_back", "Go back a stage", "undo-2", reason=may_edit))
        found.ends.append(Action("complete", "Complete", "circle-check", reason=may_edit or past_gates()))
        found.ends.append(Action("stop", "Stop", "ban", "danger", reason=may_edit))
    return found


def _plan_actions(
    user: User, ticket: Ticket, task: StageTask | None, may_edit: str, may_decide: Callable[[], str]
) -> Iterable[Action]:
    """What the plan asks for next."""
    if ticket.is_closed:
        return
    if task is not None and task.state == TaskState.WAITING_FOR_PERSON:
        yield Action("pass_gate", f"Pass {ticket.stage}", "check", "primary", may_decide(), "a")
        yield Action("decline_gate", f"Decline {ticket.stage}", "x", "danger", may_decide(), "r")
    if task is not None and task.state == TaskState.DEAD:
        reason = may_edit or permissions.reason_against(permissions.check_is_person, user, ticket.tenant)
        yield Action("retry", f"Retry {ticket.stage}", "rotate-cw", "primary", reason)
    if task is None and ticket.stage:
        label = f"Ask for {ticket.stage}" if ticket.at_gate else f"Queue {ticket.stage}"
        yield Action("queue", label, "clock", "primary", may_edit)


def _cached(ask: Callable[[], str]) -> Callable[[], str]:
    answers: list[str] = []

    def once() -> str:
        if not answers:
            answers.append(ask())
        return answers[0]

    return once


def _against_finishing(user: User, ticket: Ticket) -> str:
    try:
        check_no_gate_ahead(ticket, user, "finish")
    except NotAllowed as refusal:
        return refusal.message
    return ""


def open_task_of(ticket: Ticket) -> StageTask | None:
    """The open task of the step that is next, with whoever holds it."""
    tasks = StageTask.objects.filter(ticket=ticket, step=ticket.progress, state__in=TASK_OPEN)
    return tasks.select_related("claimed_by", "claimed_account").first()


def steps_of(ticket: Ticket, task: StageTask | None) -> list[dict[str, Any]]:
    """The plan as steps: done, now, bad or still to come."""
    return [
        {
            "label": step.stage,
            "state": _step_state(ticket, number, task),
            "tone": _step_tone(ticket, number, task),
            "note": _step_note(ticket, number, task, gate=step.gate),
        }
        for number, step in enumerate(ticket.steps)
    ]


def _step_state(ticket: Ticket, number: int, task: StageTask | None) -> str:
    if number < ticket.progress:
        return "done"
    if number > ticket.progress or ticket.is_closed:
        return ""
    return "bad" if task is not None and task.state == TaskState.DEAD else "now"


def _step_tone(ticket: Ticket, number: int, task: StageTask | None) -> str:
    if number < ticket.progress:
        return "green"
    if number > ticket.progress or task is None:
        return "grey"
    return {TaskState.DEAD: "red", TaskState.FAILED: "amber", TaskState.WAITING_FOR_PERSON: "amber"}.get(
        TaskState(task.state), "blue"
    )


def _step_note(ticket: Ticket, number: int, task: StageTask | None, *, gate: bool) -> str:
    if number == ticket.progress and task is not None and task.state == TaskState.CLAIMED and task.claimed_by:
        return task.claimed_by.worker_id
    return "a person decides" if gate else ""


def obstacles_of(user: User, ticket: Ticket, task: StageTask | None) -> list[Reason]:
    """Why the next stage cannot be claimed now, beyond what the page shows anyway."""
    if ticket.is_closed or not ticket.stage:
        return []
    shown = {"gate", "dead", "claimed", "no_right", "not_queued"}
    return [reason for reason in explain_claim(user=user, ticket=ticket).reasons if reason.code not in shown]


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


def timeline_of(user: User, ticket: Ticket) -> list[Entry]:
    """The newest facts, oldest first."""
    facts = list(ticket_history(user=user, ticket=ticket).order_by("-sequence")[:SHOWN_FACTS])
    return [_entry(fact) for fact in reversed(facts)]


def _entry(fact: DomainEvent) -> Entry:
    look, data = STEPS.get(fact.type, Look(fact.type, "grey", "info")), fact.data
    return Entry(
        what=f"{look.label}: {data['stage']}" if data.get("stage") else look.label,
        tone=look.tone,
        shape=look.shape,
        who="" if fact.actor_id is None else fact.actor_label,
        at=fact.occurred_at,
        error=str(data.get("error") or ""),
        detail=_detail(fact.type, data) or ("Followed its issue in Jira" if fact.surface == JIRA_SURFACE else ""),
    )


def _detail(fact_type: str, data: dict[str, Any]) -> str:
    if fact_type == "ticket.closed":
        return f"As {data.get('resolution', '')}"
    if data.get("deployed_by"):
        return f"{data['deployed_by']} brought it to production"
    if data.get("rolled_back_by"):
        return f"{data['rolled_back_by']} took it out of production"
    if data.get("changed"):
        return "Changed: " + ", ".join(str(name).replace("_", " ") for name in data["changed"])
    if data.get("blocker"):
        return str(data["blocker"])
    if data.get("url"):
        return str(data.get("link_title") or data["url"])
    worker = str(data.get("worker_id") or "")
    return f"Worker {worker}" if worker and not worker.startswith(f"{JIRA_SURFACE}:") else ""


@dataclass(frozen=True, slots=True)
class Related:
    """Something of another app that names the ticket."""

    kind: str
    label: str
    title: str
    address: str
    state: Look
    at: Any = None


def related_to(user: User, ticket: Ticket) -> list[Related]:
    """What other apps know of the ticket, as far as `user` may see it; they are named in TICKET_RELATED."""
    return [one for path in settings.TICKET_RELATED for one in load_callable(path)(user, ticket)]


@dataclass(slots=True)
class Family:
    """Tickets it hangs together with."""

    blockers: list[Ticket]
    dependents: list[Ticket]
    children: list[Ticket]


def family_of(ticket: Ticket) -> Family:
    """All of the same tenant, so whoever sees one sees the others."""

    def shown(tickets: Any) -> list[Ticket]:
        return list(tickets.select_related("tenant").order_by("id")[:SHOWN_RELATED])

    return Family(shown(ticket.depends_on), shown(ticket.blocks), shown(ticket.children))


def said_about(ticket: Ticket) -> list[Any]:
    """The newest comments, oldest first; the description stands on the page by itself."""
    comments = ticket.comments.exclude(kind="description").select_related("author").order_by("-id")
    return list(comments[:SHOWN_COMMENTS])[::-1]


def other_tickets(user: User, key: str) -> list[tuple[Tenant, Ticket]]:
    """Every ticket of this key that `user` may see, when several tenants have one."""
    tickets = Ticket.objects.visible_to(user).filter(key__iexact=key.replace("\x00", "\ufffd"))
    return [(ticket.tenant, ticket) for ticket in tickets.select_related("tenant").order_by("tenant__slug")[:50]]
