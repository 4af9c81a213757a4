"""Tickets follow what happens outside: events that name them, and commands in commit messages."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from core.errors import InvalidInput, NotAllowed
from events.chain.kinds import environment_named
from events.models import DomainEvent, ReceivedEvent
from tickets.models import Ticket
from tickets.services.change import lock, step_to
from tickets.services.facts import SUBJECT_TYPE
from tickets.services.moves import move_ticket
from tickets.services.tickets import comment_on_ticket
from tickets.states import State

PRODUCTION = "production"
S = State
_BEGUN = (S.OPEN, S.REOPENED, S.DECLINED)
_UNDER_WAY = (S.IN_PROGRESS, S.IN_REVIEW, S.REVIEWED, S.TESTING, S.APPROVED)
# What an event does to a ticket that it names: the verb, and the states in which it does that. In any other state the
# ticket is further already, or people took it elsewhere.
FOLLOWED: dict[tuple[str, str], tuple[str, tuple[State, ...]]] = {
    ("branch", "created"): ("start", _BEGUN),
    ("stagepass-commit", "pushed"): ("start", _BEGUN),
    ("change", "created"): ("request_review", (*_BEGUN, S.IN_PROGRESS)),
    ("change", "merged"): ("finish_review", (S.IN_REVIEW,)),
    ("testsuiterun", "started"): ("start_testing", (S.IN_PROGRESS, S.REVIEWED, S.APPROVED)),
    ("service", "deployed"): ("resolve", _UNDER_WAY),
    ("service", "upgraded"): ("resolve", _UNDER_WAY),
}
VERDICTS: dict[str, tuple[str, tuple[State, ...]]] = {
    "approved": ("finish_review", (S.IN_REVIEW,)),
    "changes_requested": ("start", (S.IN_REVIEW,)),
    # A pull request that is only a draft, and one that is to be looked at after all.
    "draft": ("start", _BEGUN),
    "ready": ("request_review", (*_BEGUN, S.IN_PROGRESS)),
}
# Words of commands, and the moves they stand for. Decisions and closing are for people who look.
COMMANDS = {
    "start": "start", "progress": "start", "in-progress": "start", "review": "request_review",
    "in-review": "request_review", "reviewed": "finish_review", "test": "start_testing", "testing": "start_testing",
    "resolve": "resolve", "resolved": "resolve", "fix": "resolve", "fixed": "resolve",
}  # fmt: skip


@transaction.atomic
def follow_event(*, ticket: Ticket, fact: DomainEvent) -> str:
    """Move the ticket as the received event `fact` tells, once; the verb taken, or "" when there is nothing to do.

    Leaves the fact of the move, with `followed`: the received event.
    """
    event = fact.data["event"]
    step = VERDICTS.get(fact.data.get("verdict", "")) or FOLLOWED.get((event["subject"], event["predicate"]))
    if step is None:
        return ""
    verb, states = step
    current = lock(ticket)
    if current.state not in states or _is_forbidden(current, verb, fact) or _has_followed(current, fact):
        return ""
    step_to(current, verb, by=None, data={"followed": fact.data["received"]})
    if verb == "request_review" and not current.at_gate and _is_merged(fact):
        step_to(current, "finish_review", by=None, data={"followed": fact.data["received"]})
        return "finish_review"
    return verb


def _is_forbidden(ticket: Ticket, verb: str, fact: DomainEvent) -> bool:
    """No event passes a gate; what resolves is the deployment to production, where the project wants that of deployments."""
    if verb == "resolve":
        places = {environment_named(each["id"]) for each in fact.data["references"] if each["kind"] == "environment"}
        wanted = ticket.project.setting("resolve_on_deploy") and PRODUCTION in places
        return not wanted or any(step.gate for step in ticket.steps[ticket.progress :])
    return verb == "finish_review" and ticket.at_gate


def _is_merged(fact: DomainEvent) -> bool:
    """Whether the change was merged before we heard that it is there: webhooks arrive in any order."""
    about = ReceivedEvent.objects.filter(tenant_id=fact.tenant_id or 0, subject="change", predicate="merged")
    return about.filter(subject_id=fact.data["subject"]["id"], subject_source=fact.data["subject"]["source"]).exists()


def _has_followed(ticket: Ticket, fact: DomainEvent) -> bool:
    about = DomainEvent.objects.about(SUBJECT_TYPE, ticket.key).filter(tenant_id=ticket.tenant_id)
    return about.filter(data__followed=fact.data["received"]).exists()


@transaction.atomic
def obey_command(*, ticket: Ticket, command: str, text: str, by: User, mark: str = "") -> str:
    """One command of a commit message in the name of its author: comment, time, or the word of a move.

    What it did; the comment it leaves carries `mark`, by which a repetition is known. InvalidInput for an unknown word,
    NotAllowed for resolving past a gate: whoever wrote a commit need not be who its e-mail says. Otherwise as the verbs.
    """
    if command in {"comment", "time"}:
        said = text if command == "comment" else f"Time spent: {text}"
        comment_on_ticket(ticket=ticket, by=by, content=said, worker_id=mark)
        return command
    verb = COMMANDS.get(command)
    if verb is None:
        known = ", ".join(("comment", "time", *COMMANDS))
        raise InvalidInput({"command": [f"There is no command {command[:40]}; known: {known}."]})
    if verb == "resolve" and any(step.gate for step in ticket.steps[ticket.progress :]):
        raise NotAllowed(f"{ticket.key} has a gate ahead, which no commit message passes.", code="gate_not_passed")
    move_ticket(ticket=ticket, verb=verb, by=by)
    comment_on_ticket(ticket=ticket, by=by, content=text or f"By a commit message: {verb}.", worker_id=mark)
    return verb
