"""Gates: stages of a plan that only a person passes, who has the right and did not do the work."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from core.clock import now
from core.errors import InvalidInput, WrongState
from tickets import permissions
from tickets.models import StageTask, Ticket
from tickets.services.change import check_unclosed, load, lock, save, say, standing_at, step_to
from tickets.services.facts import publish_about
from tickets.services.queue import insert_next_task, reach_gate
from tickets.services.stages import queues_next, return_to
from tickets.states import TICKET, TaskState
from tickets.types import CommentKind
from tickets.validation import clean_text


@transaction.atomic
def decide_gate(
    *,
    ticket: Ticket,
    by: User,
    approve: bool,
    comment: str = "",
    back_to_step: int | None = None,
    version: int | None = None,
) -> Ticket:
    """Pass the gate that the plan waits at, or decline with a reason, at once going back to a step if one is given.

    Approving completes the gate's stage and queues the next; leaves `ticket.approved` and `ticket.stage_completed`.
    Declining leaves `ticket.declined` (and `ticket.stage_returned`); without `back_to_step` the ticket stays declined
    until someone goes back a stage or queues the gate again. NotAllowed (person_required, not_authorized, own_work),
    WrongState (not_at_gate, ticket_closed), InvalidInput without a reason to decline, VersionConflict.
    """
    permissions.check_can_decide(by, ticket)
    comment = clean_text("comment", comment, minimum=0 if approve else 3, what="reason")
    current = lock(ticket, version)
    check_unclosed(current, "decide on")
    task = _waiting_task(current)
    if approve and back_to_step is not None:
        raise InvalidInput({"back_to_step": ["Only declining sends back."]})
    return _approve(current, task, by, comment) if approve else _decline(current, task, by, comment, back_to_step)


def _waiting_task(ticket: Ticket) -> StageTask:
    task = StageTask.objects.filter(
        ticket=ticket, step=ticket.progress, state=TaskState.WAITING_FOR_PERSON
    ).first()  # fmt: skip
    if task is None:
        stage = f"it is at {ticket.stage}" if ticket.stage else "every stage is done"
        raise WrongState(f"{ticket.key} does not wait at a gate now: {stage}.", code="not_at_gate")
    return task


def _approve(ticket: Ticket, task: StageTask, by: User, comment: str) -> Ticket:
    StageTask.objects.filter(pk=task.pk).update(state=TaskState.DONE, claimed_account=by, finished_at=now())
    said = _say(ticket, task, by, comment or "Approved.")
    decided = {"stage": task.worker_type, "stage_number": task.stage_number, "gate": True, "task_id": task.pk}
    save(ticket, **standing_at(ticket, task.step + 1))
    following = insert_next_task(ticket) if queues_next(ticket) else None
    if TICKET.find(ticket.state, "approve"):
        step_to(ticket, "approve", by=by, data=decided | {"comment": comment})
    done = decided | {
        "comment_id": said, "worker_id": "", "next_task_id": following.pk if following else None,
        "plan_completed": not ticket.stage, "decision": "approved",
    }  # fmt: skip
    publish_about(ticket, "ticket.stage_completed", by=by, data=done)
    if following is not None and ticket.at_gate:
        reach_gate(ticket, by=by)
    return load(ticket)


def _decline(ticket: Ticket, task: StageTask, by: User, reason: str, back_to_step: int | None) -> Ticket:
    StageTask.objects.filter(pk=task.pk).update(
        state=TaskState.CANCELED, claimed_account=by, finished_at=now(), fence=task.fence + 1,
        last_error=f"Declined: {reason}",
    )  # fmt: skip
    _say(ticket, task, by, reason)
    decided = {"stage": task.worker_type, "stage_number": task.stage_number, "gate": True, "comment": reason}
    if TICKET.find(ticket.state, "decline"):
        step_to(ticket, "decline", by=by, data=decided)
    else:
        publish_about(ticket, "ticket.declined", by=by, data=decided)
    if back_to_step is not None:
        return_to(ticket, back_to_step, by, reason)
    return load(ticket)


def _say(ticket: Ticket, task: StageTask, by: User, content: str) -> int | None:
    said = say(
        ticket, by, content, CommentKind.DECISION, stage=task.worker_type, stage_number=task.stage_number,
        worker_type=task.worker_type,
    )  # fmt: skip
    return said.pk if said else None
