"""A ticket moves through its life: by hand, by closing and reopening, by a deployment."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts.models import User
from core.errors import Conflict, InvalidInput, WrongState
from events.models import DomainEvent
from tickets import permissions
from tickets.models import Ticket
from tickets.services.change import load, lock, say, step_to, wrong_state
from tickets.services.plans import check_no_gate_ahead
from tickets.services.queue import cancel_open_tasks
from tickets.states import DECISIONS, MOVES, SATISFIED, TICKET, State
from tickets.types import CommentKind
from tickets.validation import clean_text

CLOSINGS = {
    "completed": ("complete", "Ticket completed successfully by coordinator."),
    "stopped": ("stop", "Ticket stopped by coordinator due to issues or cancellation."),
}


@transaction.atomic
def move_ticket(*, ticket: Ticket, verb: str, by: User, comment: str = "", version: int | None = None) -> Ticket:
    """Take one of `states.MOVES`: start, request_review, finish_review, start_testing, request_approval, approve,
    decline, resolve, reopen. Leaves the edge's fact.

    WrongState names what is possible now; NotAllowed (own_work, person_required, not_authorized) for approve and
    decline, (gate_not_passed) for resolving round a gate; Conflict (at_gate) where the plan waits at a gate:
    `decide_gate` passes that. VersionConflict as for edits.
    """
    _check_may_move(ticket, verb, by)
    comment = clean_text("comment", comment, minimum=3 if verb == "decline" else 0, what="reason")
    current = lock(ticket, version)
    if verb in DECISIONS and current.at_gate and TICKET.find(current.state, verb):
        raise Conflict(
            f"The plan of {current.key} waits at the gate {current.stage}. Decide on that gate.",
            code="at_gate",
            details={"stage": current.stage},
        )
    if TICKET.find(current.state, verb) is None:
        raise wrong_state(current, verb)
    if verb == "resolve":
        check_no_gate_ahead(current, by, "resolve")
    kind = CommentKind.DECISION if verb in DECISIONS else CommentKind.COMMENT
    say(current, by, comment, kind, stage=current.stage, stage_number=current.progress + 1 if current.stage else 0)
    step_to(current, verb, by=by, data={"comment": comment} if comment else {})
    return load(current)


def _check_may_move(ticket: Ticket, verb: str, by: User) -> None:
    if verb not in MOVES:
        raise InvalidInput({"verb": [f"Choose one of: {', '.join(MOVES)}."]})
    if verb in DECISIONS:
        permissions.check_can_decide(by, ticket)
    else:
        permissions.check_can_edit(by, ticket.tenant)


@transaction.atomic
def close_ticket(
    *, ticket: Ticket, by: User, resolution: str = "completed", comment: str = "", version: int | None = None
) -> Ticket:
    """End a ticket as completed or stopped; its open tasks are canceled, also claimed ones. Leaves `ticket.closed`.

    How far the plan was done stays on record. WrongState (ticket_closed) when it is closed already: the first closing
    stands. NotAllowed (gate_not_passed) for completing round a gate without the right to pass it.
    """
    permissions.check_can_edit(by, ticket.tenant)
    if resolution.lower() not in CLOSINGS:
        raise InvalidInput({"status": [f"Choose one of: {', '.join(CLOSINGS)}."]})
    comment = clean_text("comment", comment)
    verb, stock_phrase = CLOSINGS[resolution.lower()]
    current = lock(ticket, version)
    if current.is_closed:
        raise WrongState(
            f"{current.key} was closed already, as {current.state}. Reopen it to change that.",
            code="ticket_closed",
            details={"state": current.state},
        )
    if verb == "complete":
        check_no_gate_ahead(current, by, "complete")
    canceled = cancel_open_tasks(current, f"The ticket was {resolution.lower()}.")
    say(
        current, by, comment or stock_phrase, CommentKind.CLOSING, worker_type="coordinator", worker_id="coordinator",
        stage_number=999,
    )  # fmt: skip
    data: dict[str, Any] = {
        "resolution": resolution.lower(), "comment": comment, "canceled_tasks": [task.pk for task in canceled],
    }  # fmt: skip
    step_to(current, verb, by=by, data=data)
    return load(current)


def reopen_ticket(*, ticket: Ticket, by: User, comment: str = "", version: int | None = None) -> Ticket:
    """Take a resolved or closed ticket up again where its plan stood; leaves `ticket.reopened`."""
    return move_ticket(ticket=ticket, verb="reopen", by=by, comment=comment, version=version)


def resolve_ticket(*, ticket: Ticket, by: User, comment: str = "", version: int | None = None) -> Ticket:
    """Say that the work is done and only the closing is left; leaves `ticket.resolved`."""
    return move_ticket(ticket=ticket, verb="resolve", by=by, comment=comment, version=version)


@transaction.atomic
def resolve_deployed_ticket(*, ticket: Ticket, fact: DomainEvent) -> bool:
    """The deployment that `fact` tells of brought this ticket to production; leaves `ticket.resolved`.

    False, and nothing, when the ticket is resolved or closed already.
    """
    current = lock(ticket)
    if current.is_closed or current.state in SATISFIED:
        return False
    step_to(current, "resolve_by_deployment", by=None, data={"deployed_by": fact.subject_id})
    return True


@transaction.atomic
def take_back_deployed_ticket(*, ticket: Ticket, fact: DomainEvent) -> bool:
    """The deployment that `fact` tells of took this ticket out of production again; leaves `ticket.reopened`.

    False, and nothing, unless the ticket is resolved: what is closed, people closed.
    """
    current = lock(ticket)
    if current.state != State.RESOLVED:
        return False
    step_to(current, "reopen", by=None, data={"rolled_back_by": fact.subject_id})
    return True
