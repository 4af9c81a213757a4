"""Stage tasks enter the queue: one open task per step, spread fairly over the projects."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from core.errors import Conflict, WrongState
from core.sql import run
from tickets import permissions
from tickets.models import StageTask, Ticket, Worker
from tickets.services.change import check_unclosed, lock, step_to
from tickets.services.facts import publish_about
from tickets.states import TASK_OPEN, TICKET, TaskState

# A project that has tasks waiting goes one turn behind its own last; one that has none joins at the turn being served.
# So many tasks of one project delay another project's first by one task, not by all, and each costs two index look-ups.
_INSERT = """
INSERT INTO tickets_stagetask (tenant_id, project_id, ticket_id, step, round, worker_type, state, priority, turn, attempt,
                               max_attempts, fence, next_at, last_error, created_at)
SELECT %(tenant)s::bigint, %(project)s::bigint, %(ticket)s::bigint, %(step)s::int, %(round)s::int,
       %(type)s::text, %(state)s::text, %(priority)s::int,
       COALESCE(
           (SELECT turn + 1 FROM tickets_stagetask
            WHERE project_id = %(project)s::bigint AND worker_type = %(type)s::text AND priority = %(priority)s::int
              AND state IN ('queued', 'failed')
            ORDER BY turn DESC LIMIT 1),
           (SELECT turn FROM tickets_stagetask
            WHERE tenant_id = %(tenant)s::bigint AND worker_type = %(type)s::text AND priority = %(priority)s::int
              AND state IN ('queued', 'failed')
            ORDER BY turn LIMIT 1),
           0),
       0, %(attempts)s::int, 0, clock_timestamp(), '', clock_timestamp()
RETURNING id, turn
"""


def insert_next_task(ticket: Ticket) -> StageTask | None:
    """The task of the ticket's next step, in the caller's transaction; at a gate it waits for a person.

    None after the last step. The ticket must be locked (or new), its project loaded, and the step without an open task.
    """
    step = ticket.current_step
    if step is None:
        return None
    task = StageTask(
        tenant_id=ticket.tenant_id,
        project_id=ticket.project_id,
        ticket=ticket,
        step=ticket.progress,
        round=ticket.round,
        worker_type=step.stage,
        state=TaskState.WAITING_FOR_PERSON if step.gate else TaskState.QUEUED,
        priority=ticket.priority,
        max_attempts=ticket.project.setting("max_attempts"),
        created_at=timezone.now(),
    )
    inserted = run(
        _INSERT,
        {
            "tenant": task.tenant_id, "project": task.project_id, "ticket": ticket.pk, "step": task.step,
            "round": task.round, "type": task.worker_type, "state": task.state, "priority": task.priority,
            "attempts": task.max_attempts,
        },
    )  # fmt: skip
    task.pk, task.turn = inserted[0]
    task._state.adding = False
    return task


@transaction.atomic
def queue_task(
    *, ticket: Ticket, by: User, worker_type: str = "", even_without_worker: bool = False
) -> tuple[StageTask, Worker | None]:
    """Queue the ticket's next stage for a worker of its type; the worker named is a hint, any of the type may claim.

    Queueing what is queued, claimed or waiting already answers that task. Leaves `ticket.stage_queued`, and at a gate
    `ticket.approval_requested`. WrongState (ticket_closed, no_stage_left, stage_dead), Conflict (not_next_stage) when
    `worker_type` is not the next stage, Conflict (no_active_worker) unless someone of the type is there.
    """
    permissions.check_can_edit(by, ticket.tenant)
    current = lock(ticket)
    check_unclosed(current, "queue a task for")
    _check_is_next(current, worker_type)
    worker = None if current.at_gate else find_worker(current)
    task = StageTask.objects.filter(ticket=current, step=current.progress, state__in=TASK_OPEN).first()
    if task is not None and task.state == TaskState.DEAD:
        raise WrongState(
            f"{task.worker_type} of {current.key} failed {task.attempt} times. A person has to retry it.",
            code="stage_dead",
            details={"task_id": task.pk},
        )
    if worker is None and not current.at_gate and not even_without_worker and task is None:
        raise Conflict(
            f"No active worker found for type '{current.stage}'", code="no_active_worker", field="worker_type"
        )
    if task is None:
        task = _queue(current, by)
    return task, worker


def _check_is_next(ticket: Ticket, worker_type: str) -> None:
    if not ticket.stage:
        raise WrongState(
            f"Every stage of {ticket.key} is done. Close it, or go back a stage."
            if ticket.plan
            else f"{ticket.key} has no execution plan. Give it one first.",
            code="no_stage_left",
        )
    if worker_type and worker_type != ticket.stage:
        raise Conflict(
            f"The next stage of {ticket.key} is {ticket.stage}, not {worker_type}.",
            code="not_next_stage",
            field="worker_type",
            details={"next_stage": ticket.stage},
        )


def _queue(ticket: Ticket, by: User) -> StageTask:
    task = insert_next_task(ticket)
    assert task is not None
    if ticket.at_gate:
        reach_gate(ticket, by=by)
    else:
        publish_about(ticket, "ticket.stage_queued", by=by, data={"task_id": task.pk, "stage": task.worker_type})
    return task


def reach_gate(ticket: Ticket, *, by: User | None) -> None:
    """The plan's next step waits for a person: the ticket's state and a fact say so."""
    if TICKET.find(ticket.state, "request_approval"):
        step_to(ticket, "request_approval", by=by, data={"stage": ticket.stage, "gate": True})
    else:
        publish_about(ticket, "ticket.gate_reached", by=by, data={"stage": ticket.stage, "gate": True})


def find_worker(ticket: Ticket) -> Worker | None:
    """A worker of the next stage's type that is there for the ticket's project, an idle one before a busy one."""
    there = Worker.objects.present().filter(tenant_id=ticket.tenant_id, worker_type=ticket.stage)
    there = there.filter(Q(project=None) | Q(project_id=ticket.project_id)).order_by("-last_seen_at")
    return there.busy(False).first() or there.first()


@transaction.atomic
def retry_task(*, task: StageTask, by: User) -> StageTask:
    """A person gives a dead task new attempts; leaves `ticket.stage_retried`.

    WrongState (not_dead) unless it is dead, NotAllowed (person_required) for a worker's account.
    """
    permissions.check_can_edit(by, task.ticket.tenant)
    permissions.check_is_person(by, task.ticket.tenant)
    current = lock(task.ticket)
    check_unclosed(current, "retry a stage of")
    changed = StageTask.objects.filter(pk=task.pk, state=TaskState.DEAD).update(
        state=TaskState.QUEUED, attempt=0, next_at=timezone.now(), finished_at=None
    )
    if not changed:
        raise WrongState("Only a task that ran out of attempts can be retried.", code="not_dead")
    publish_about(current, "ticket.stage_retried", by=by, data={"task_id": task.pk, "stage": task.worker_type})
    task.refresh_from_db()
    return task


def cancel_open_tasks(ticket: Ticket, reason: str) -> list[StageTask]:
    """Cancel every open task of the locked ticket; whoever holds one has lost it. The tasks as they were."""
    open_tasks = list(StageTask.objects.select_for_update(of=("self",)).filter(ticket=ticket, state__in=TASK_OPEN))
    for task in open_tasks:
        StageTask.objects.filter(pk=task.pk).update(
            state=TaskState.CANCELED,
            fence=task.fence + 1,
            lease_until=None,
            last_error=reason,
            finished_at=timezone.now(),
        )
    return open_tasks
