"""What may change about a plan that is under way, and steps that are set by hand."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from core.errors import Conflict, NotAllowed
from tickets import permissions
from tickets.models import StageTask, Ticket
from tickets.states import TASK_OPEN, TaskState
from tickets.types import PlanStep


def check_plan_change(ticket: Ticket, plan: tuple[PlanStep, ...], by: User) -> dict[str, Any]:
    """The columns of the new plan; done steps stay, a step someone works on stays, gates are not for everyone.

    Conflict (stage_already_done, stage_claimed), NotAllowed (gate_protected, person_required). A queued step that the
    new plan replaces is canceled.
    """
    done, ahead = ticket.steps[: ticket.progress], ticket.steps[ticket.progress :]
    if list(plan[: ticket.progress]) != done:
        raise Conflict(
            f"The first {ticket.progress} stages of {ticket.key} are done and stay. Go back a stage to repeat one.",
            code="stage_already_done",
            field="execution_plan",
        )
    new_ahead = list(plan[ticket.progress :])
    _check_gates_stay(ticket, ahead, new_ahead, by)
    if ahead[:1] != new_ahead[:1]:
        _cancel_current_step(ticket)
    return {
        "plan": [step.as_json() for step in plan],
        "stage": new_ahead[0].stage if new_ahead else "",
    }


def _check_gates_stay(ticket: Ticket, ahead: list[PlanStep], new_ahead: list[PlanStep], by: User) -> None:
    """The way up to the last gate is fixed for everyone who may not pass it."""
    last_gate = max((number for number, step in enumerate(ahead) if step.gate), default=-1)
    if new_ahead[: last_gate + 1] == ahead[: last_gate + 1]:
        return
    try:
        permissions.check_is_decider(by, ticket.tenant)
    except NotAllowed as refusal:
        raise NotAllowed(
            f"{ticket.key} has a gate at {ahead[last_gate].stage}; the plan up to it is changed only by someone who may"
            " decide on tickets.",
            code="gate_protected",
            field="execution_plan",
        ) from refusal


def _cancel_current_step(ticket: Ticket) -> None:
    tasks = StageTask.objects.select_for_update().filter(ticket=ticket, step=ticket.progress, state__in=TASK_OPEN)
    for task in tasks:
        if task.state == TaskState.CLAIMED and task.lease_runs:
            raise Conflict(
                f"{task.worker_type} is being worked on. Wait for it, or go back a stage first.",
                code="stage_claimed",
                field="execution_plan",
            )
        StageTask.objects.filter(pk=task.pk).update(
            state=TaskState.CANCELED, fence=task.fence + 1, lease_until=None, last_error="The plan was changed."
        )


def check_no_gate_ahead(ticket: Ticket, by: User, verb: str) -> None:
    """Finishing a ticket whose gate was not passed takes someone who could have passed it."""
    if not ticket.gates_ahead:
        return
    try:
        permissions.check_can_decide(by, ticket)
    except NotAllowed as refusal:
        raise NotAllowed(
            f"Cannot {verb} {ticket.key}: a gate of its plan was not passed. {refusal.message}",
            code="gate_not_passed",
        ) from refusal
