"""A stage ends: completed, failed, released, sent back or set by hand; each in one transaction, guarded by the fence."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from django.db import connection, transaction

from accounts.models import User
from core.clock import now
from core.errors import Conflict, InvalidInput, WrongState
from core.failpoints import failpoint
from core.sql import run
from tickets import permissions
from tickets.models import Comment, StageTask, Ticket
from tickets.services.change import check_unclosed, load, lock, save, say, standing_at
from tickets.services.claims import claim_data, lease_lost
from tickets.services.facts import publish_about
from tickets.services.queue import cancel_open_tasks, insert_next_task, reach_gate
from tickets.states import TASK_OPEN, TICKET, TaskState
from tickets.types import PLANNED, CommentKind, Completion
from tickets.validation import clean_text

FIRST_RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 900.0


@transaction.atomic
def complete_stage(
    *, task: StageTask, fence: int, by: User, comment: str = "", data: dict[str, Any] | None = None
) -> Completion:
    """The claimed stage is done: comment, stage, next task and fact, all or nothing.

    Only the holder of `fence` under the same account may; a lease that ran out still counts while nobody else took the
    task, and the answer says it was `late`. Queues the next stage unless the project leaves that to a coordinator; a
    gate waits for a person. Leaves `ticket.stage_completed` with `data`. LeaseLost (lease_lost, already_completed,
    task_canceled, not_claimed, not_claimant) or Conflict (gate_needs_person): nothing was changed.
    """
    permissions.check_can_work(by, task.ticket.tenant)
    comment = clean_text("comment", comment)
    ticket = lock(task.ticket)
    late, said = _finish(ticket, task, fence, by, comment)
    following = insert_next_task(ticket) if queues_next(ticket) else None
    failpoint("before_complete_commit")
    done = claim_data(task) | {
        "comment_id": said.pk if said else None,
        "next_task_id": following.pk if following else None,
        "plan_completed": not ticket.stage,
        "late": late,
        **({"result": data} if data else {}),
    }
    publish_about(ticket, "ticket.stage_completed", by=by, data=done)
    if following is not None and ticket.at_gate:
        reach_gate(ticket, by=by)
    transaction.on_commit(lambda: failpoint("after_complete_commit"))
    task.ticket = ticket
    return Completion(ticket, task, said, following, late)


# The task ends if the claim is held, and only then the ticket moves on and the comment is written. The ticket is locked.
_FINISH = """
WITH ended AS (
    UPDATE tickets_stagetask task SET state = 'done', finished_at = %(at)s::timestamptz FROM tickets_stagetask old
    WHERE task.id = %(task)s::bigint AND old.id = task.id AND task.fence = %(fence)s::bigint AND task.state = 'claimed'
      AND task.claimed_account_id = %(account)s::bigint
    RETURNING task.id, old.lease_until < clock_timestamp() AS late
), moved AS (
    UPDATE tickets_ticket SET version = version + 1, updated_at = %(at)s::timestamptz, progress = %(progress)s::int,
        stage = %(stage)s::text,
        last_completed_stage = %(last_completed_stage)s::text
    WHERE id = %(ticket)s::bigint AND EXISTS (SELECT 1 FROM ended)
), said AS (
    INSERT INTO tickets_comment (ticket_id, author_id, kind, worker_type, worker_id, stage, stage_number, task_id, fence,
                                 content, created_at)
    SELECT %(ticket)s::bigint, %(account)s::bigint, 'stage', %(worker_type)s::text,
           %(worker_id)s::text, %(worker_type)s::text, %(number)s::int, id, %(fence)s::bigint,
           %(comment)s::text, %(at)s::timestamptz
    FROM ended WHERE %(comment)s::text <> ''
    RETURNING id
)
SELECT late, (SELECT id FROM said) FROM ended
"""


def _finish(ticket: Ticket, task: StageTask, fence: int, by: User, comment: str) -> tuple[bool, Comment | None]:
    """End the claimed task, move the locked ticket on, write the comment; whether the lease had run out."""
    moment, standing = now(), standing_at(ticket, task.step + 1)
    values = {
        "at": moment, "task": task.pk, "fence": fence, "account": by.pk, "ticket": ticket.pk, "comment": comment,
        "worker_type": task.worker_type, "worker_id": task.claimed_by.worker_id if task.claimed_by else "",
        "number": task.stage_number,
    }  # fmt: skip
    ended = run(_FINISH, values | standing)
    if not ended:
        raise lease_lost(task, fence, by)
    late, comment_id = ended[0]
    for thing, changes in (
        (task, {"state": TaskState.DONE, "finished_at": moment, "fence": fence}),
        (ticket, {**standing, "version": ticket.version + 1, "updated_at": moment}),
    ):
        for name, value in changes.items():
            setattr(thing, name, value)
    said = comment_id and _written(task, by, comment, pk=comment_id, ticket=ticket, created_at=moment)
    return late, said or None


def _written(task: StageTask, by: User, content: str, **columns: Any) -> Comment:
    said = Comment(
        author=by, kind=CommentKind.STAGE, worker_type=task.worker_type,
        worker_id=task.claimed_by.worker_id if task.claimed_by else "", stage=task.worker_type,
        stage_number=task.stage_number, task=task, fence=task.fence, content=content, **columns,
    )  # fmt: skip
    said._state.adding = False
    return said


def queues_next(ticket: Ticket) -> bool:
    """A gate always opens: nobody has to remember to ask the person."""
    return bool(ticket.project.setting("queue_next_stage")) or ticket.at_gate


def _end(task: StageTask, fence: int, by: User, state: str, **columns: Any) -> bool:
    """Compare-and-set of the claim to its end; whether the lease had run out. Raises why when the claim is not held."""
    assignments = {"state": state, "finished_at": now() if state == TaskState.DONE else None, **columns}
    sets = ", ".join(f"{name} = %s" for name in assignments)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE tickets_stagetask task SET {sets} FROM tickets_stagetask old"  # noqa: S608 (names from this module)
            " WHERE task.id = %s AND old.id = task.id AND task.fence = %s AND task.state = 'claimed'"
            " AND task.claimed_account_id = %s RETURNING old.lease_until < clock_timestamp()",
            [*assignments.values(), task.pk, fence, by.pk],
        )
        row = cursor.fetchone()
    if row is None:
        raise lease_lost(task, fence, by)
    for name, value in assignments.items():
        setattr(task, name, value)
    task.fence = fence
    return bool(row[0])


def _say_of_stage(
    ticket: Ticket, task: StageTask, by: User, content: str, kind: str = CommentKind.STAGE
) -> Comment | None:
    worker_id = task.claimed_by.worker_id if task.claimed_by else ""
    return say(
        ticket, by, content, kind, worker_type=task.worker_type, worker_id=worker_id, stage=task.worker_type,
        stage_number=task.stage_number, task=task, fence=task.fence,
    )  # fmt: skip


@transaction.atomic
def fail_task(*, task: StageTask, fence: int, by: User, error: str, retry: bool = True) -> StageTask:
    """The attempt failed: tried again after a growing wait, or dead after the last one (or with `retry=False`).

    Leaves `ticket.stage_failed`, or `ticket.stage_exhausted` when a person has to look. LeaseLost as for completing.
    """
    permissions.check_can_work(by, task.ticket.tenant)
    error = clean_text("error", error, minimum=1, what="reason")
    ticket = lock(task.ticket)
    task = _fresh(task)
    dead = not retry or task.attempt >= task.max_attempts
    wait = 0.0 if dead else back_off(task.attempt)
    _end(
        task, fence, by, TaskState.DEAD if dead else TaskState.FAILED,
        lease_until=None, last_error=error, next_at=now() + dt.timedelta(seconds=wait),
    )  # fmt: skip
    if dead:
        StageTask.objects.filter(pk=task.pk).update(finished_at=now())
    _say_of_stage(ticket, task, by, error, CommentKind.COMMENT)
    data = claim_data(task) | {"error": error[:1000], "retry_in_seconds": None if dead else round(wait, 1)}
    publish_about(ticket, "ticket.stage_exhausted" if dead else "ticket.stage_failed", by=by, data=data)
    task.refresh_from_db()
    return task


def _fresh(task: StageTask) -> StageTask:
    return StageTask.objects.select_related("claimed_by", "ticket__project", "ticket__tenant").get(pk=task.pk)


def back_off(attempt: int) -> float:
    """Seconds until the next attempt: twice as long each time, spread, at most a quarter of an hour."""
    longest = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(attempt - 1, 20))
    return random.uniform(longest / 2, longest)


@transaction.atomic
def release_task(*, task: StageTask, fence: int, by: User, reason: str = "") -> StageTask:
    """Give the task back untouched: queued at once, the attempt not counted. Leaves `ticket.stage_released`."""
    permissions.check_can_work(by, task.ticket.tenant)
    reason = clean_text("reason", reason, longest=2000)
    ticket = lock(task.ticket)
    task = _fresh(task)
    _end(task, fence, by, TaskState.QUEUED, lease_until=None, next_at=now(), attempt=max(0, task.attempt - 1))
    publish_about(ticket, "ticket.stage_released", by=by, data=claim_data(task) | {"reason": reason})
    task.refresh_from_db()
    return task


@transaction.atomic
def go_back_a_stage(
    *, ticket: Ticket, by: User, reason: str, to_step: int | None = None, version: int | None = None
) -> Completion:
    """Send the ticket back to an earlier step (0 for the first; default: the one before the next) to do it again.

    The open task, also a claimed one, is canceled, a new round begins and the step is queued as the project says.
    Leaves `ticket.stage_returned`. WrongState (ticket_closed, nothing_done), InvalidInput for a step that is not done.
    """
    permissions.check_can_edit(by, ticket.tenant)
    reason = clean_text("reason", reason, minimum=3, what="reason")
    current = lock(ticket, version)
    check_unclosed(current, "go back in")
    return return_to(current, current.progress - 1 if to_step is None else to_step, by, reason)


def return_to(ticket: Ticket, target: int, by: User, reason: str) -> Completion:
    """Go back to the step `target` of the locked ticket."""
    if ticket.progress == 0:
        raise WrongState(f"No stage of {ticket.key} is done, so there is none to go back to.", code="nothing_done")
    if not 0 <= target < ticket.progress:
        raise InvalidInput({"to_step": [f"Choose one of the {ticket.progress} stages that are done, from 0."]})
    left = ticket.stage
    canceled = cancel_open_tasks(ticket, f"The ticket went back a stage: {reason}")
    said = say(ticket, by, reason, CommentKind.RETURN, stage=left, stage_number=ticket.progress + 1)
    edge = TICKET.find(ticket.state, "go_back")
    state = edge.target if edge else ticket.state
    save(ticket, **standing_at(ticket, target), round=ticket.round + 1, state=state)
    following = insert_next_task(ticket) if queues_next(ticket) else None
    data = {
        "from_stage": left or None, "stage": ticket.stage, "stage_number": target + 1, "reason": reason,
        "round": ticket.round, "canceled_tasks": [task.pk for task in canceled],
        "next_task_id": following.pk if following else None,
    }  # fmt: skip
    publish_about(ticket, "ticket.stage_returned", by=by, data=data)
    if following is not None and ticket.at_gate:
        reach_gate(ticket, by=by)
    return Completion(ticket, canceled[0] if canceled else None, said, following, late=False)


@transaction.atomic
def set_stage(
    *, ticket: Ticket, last_completed_stage: str, by: User, comment: str = "", version: int | None = None
) -> Ticket:
    """A coordinator says by hand which stage was completed last: the next one, or an earlier one to go back after it.

    'Planned' goes back to the beginning. The current answer changes nothing. Conflict (stage_claimed) while a worker
    holds the stage, (not_next_stage) for any other name, (gate_needs_person) at a gate.
    """
    permissions.check_can_edit(by, ticket.tenant)
    comment = clean_text("comment", comment)
    current = lock(ticket, version)
    check_unclosed(current, "set a stage of")
    wanted, steps = last_completed_stage.strip(), current.steps
    if current.stage and wanted == current.stage:
        return _complete_by_hand(current, by, comment)
    if wanted == current.last_completed_stage:
        return load(current)
    earlier = [number + 1 for number in range(current.progress - 1) if steps[number].stage == wanted]
    if wanted == PLANNED:
        earlier = [0]
    if not earlier:
        known = ", ".join(dict.fromkeys([PLANNED, *(step.stage for step in steps[: current.progress + 1])]))
        raise Conflict(
            f"{wanted[:100]!r} is not a stage that {current.key} can be at. Choose one of: {known}.",
            code="not_next_stage",
            field="new_stage",
            details={"next_stage": current.stage or None},
        )
    return_to(current, earlier[-1], by, comment or f"Set back to {wanted} by hand.")
    return load(current)


def _complete_by_hand(ticket: Ticket, by: User, comment: str) -> Ticket:
    if ticket.at_gate:
        raise Conflict(
            f"{ticket.stage} of {ticket.key} is a gate: a person has to decide.", code="gate_needs_person",
            details={"stage": ticket.stage},
        )  # fmt: skip
    task = StageTask.objects.select_for_update(of=("self",)).filter(
        ticket=ticket, step=ticket.progress, state__in=TASK_OPEN
    ).first()  # fmt: skip
    if task is not None and task.lease_runs:
        raise Conflict(
            f"A worker holds {ticket.stage} of {ticket.key} until {task.lease_until:%H:%M:%S} UTC. Wait, or stop it.",
            code="stage_claimed",
        )
    if task is not None:
        StageTask.objects.filter(pk=task.pk).update(
            state=TaskState.DONE, finished_at=now(), lease_until=None, fence=task.fence + 1, claimed_account=by,
            claimed_by=None,
        )  # fmt: skip
    else:
        StageTask.objects.create(
            tenant_id=ticket.tenant_id, project_id=ticket.project_id, ticket=ticket, step=ticket.progress,
            round=ticket.round, worker_type=ticket.stage, state=TaskState.DONE, priority=ticket.priority,
            claimed_account=by, finished_at=now(),
        )  # fmt: skip
    done, number = ticket.stage, ticket.progress + 1
    said = say(ticket, by, comment, CommentKind.STAGE, stage=done, stage_number=number, worker_type=done)
    save(ticket, **standing_at(ticket, number))
    following = insert_next_task(ticket) if queues_next(ticket) else None
    data = {
        "stage": done, "stage_number": number, "by_hand": True, "comment_id": said.pk if said else None,
        "next_task_id": following.pk if following else None, "plan_completed": not ticket.stage, "worker_id": "",
    }  # fmt: skip
    publish_about(ticket, "ticket.stage_completed", by=by, data=data)
    if following is not None and ticket.at_gate:
        reach_gate(ticket, by=by)
    return load(ticket)
