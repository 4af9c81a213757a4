"""Claim a task by lease, and keep the lease: at most one holder at a time, whoever dies, without a sweeper."""

from __future__ import annotations

import random
import time

from django.db import transaction

from accounts.models import User
from core.clock import now
from core.errors import Conflict
from core.failpoints import failpoint
from core.rows import build, columns, width
from core.sql import run
from tickets import permissions
from tickets.errors import LeaseLost
from tickets.models import Project, StageTask, Ticket, Worker
from tickets.services.change import read_ticket, step_to
from tickets.services.facts import publish_about
from tickets.services.workers import note_seen
from tickets.states import IDLE, TaskState
from tickets.validation import clean_lease

TRIES = 20
GAVE_UP = "It was claimed {attempts} times and never finished: each lease ran out or each attempt failed."

# Expired leases first (normally there are none), then by priority and turn. A locked row is someone else's: skipped.
# Both branches read one index from its start. Time is the database's.
_NOT_BLOCKED = """
NOT EXISTS (SELECT 1 FROM tickets_dependency need JOIN tickets_ticket other ON other.id = need.blocker_id
            WHERE need.ticket_id = task.ticket_id AND other.state NOT IN ('resolved', 'completed'))
"""


def _claim_statement(narrowed: str = "") -> str:
    return f"""
UPDATE tickets_stagetask task SET
    state = 'claimed', fence = task.fence + 1, attempt = task.attempt + 1, claimed_at = clock_timestamp(),
    lease_until = clock_timestamp()
        + COALESCE(%(lease)s::int, (project.settings ->> 'lease_seconds')::int, 300) * interval '1 second',
    claimed_by_id = %(worker)s::bigint, claimed_account_id = %(account)s::bigint
FROM tickets_stagetask old
JOIN tickets_ticket ticket ON ticket.id = old.ticket_id JOIN tickets_project project ON project.id = old.project_id
WHERE task.id = old.id AND old.id = COALESCE(
    (SELECT id FROM tickets_stagetask task
     WHERE tenant_id = %(tenant)s::bigint AND worker_type = %(type)s::text AND state = 'claimed'
       AND lease_until < clock_timestamp() {narrowed}
     ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED),
    (SELECT id FROM tickets_stagetask task
     WHERE tenant_id = %(tenant)s::bigint AND worker_type = %(type)s::text AND state IN ('queued', 'failed')
       AND next_at <= clock_timestamp() AND {_NOT_BLOCKED} {narrowed}
     ORDER BY priority, turn, id LIMIT 1 FOR UPDATE SKIP LOCKED))
RETURNING old.state, old.claimed_by_id, {columns(StageTask, "task")}, {columns(Ticket, "ticket")},
    {columns(Project, "project")}
"""  # noqa: S608 (our own text)


_CLAIM = _claim_statement()
_CLAIM_OF_PROJECT = _claim_statement("AND project_id = %(project)s::bigint")
_CLAIM_OF_TICKET = _claim_statement(
    "AND ticket_id = %(ticket)s::bigint AND (%(project)s::bigint IS NULL OR project_id = %(project)s::bigint)"
)


class _Busy(Exception):
    """Someone holds the ticket's row in this moment."""


def claim_task(
    *,
    worker: Worker,
    by: User,
    lease_seconds: int | None = None,
    ticket: Ticket | None = None,
    project: Project | None = None,
) -> StageTask | None:
    """The next task of the worker's type, held by lease; None when there is none now (`explain_claim` says why).

    Expired leases come first, then the most urgent, in turns between projects; only of `ticket` or `project` if given.
    The answer's `fence` proves the claim in every later call. Leaves `ticket.stage_claimed`, before that
    `ticket.stage_lease_expired` for a lease that ran out, and `ticket.started` when work begins. A task whose last
    attempt ran out dies here (`ticket.stage_exhausted`) and the next is tried. NotAllowed (not_your_worker), Conflict
    (worker_stopped), InvalidInput for a lease outside 5 s to 24 h (default: what the project says).
    """
    permissions.check_can_work(by, worker.tenant)
    permissions.check_owns_worker(by, worker)
    if worker.stopped_at is not None:
        raise Conflict(
            f"The worker {worker.worker_id} is stopped: {worker.stop_reason} Register it again.", code="worker_stopped"
        )
    if project is not None and worker.project_id not in {None, project.pk}:
        return None
    lease = clean_lease(lease_seconds)
    only = project or worker.project
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                task = _take(worker, by, lease, ticket, only)
        except _Busy:
            time.sleep(random.uniform(0.002, 0.02))
            continue
        if task is None or task.state == TaskState.CLAIMED:
            return task
    return None


def _take(
    worker: Worker, by: User, lease: int | None, ticket: Ticket | None, project: Project | None
) -> StageTask | None:
    """One task taken, or found to be out of attempts, with its facts."""
    before = now()
    wanted = {
        "lease": lease, "worker": worker.pk, "account": by.pk, "tenant": worker.tenant_id, "type": worker.worker_type,
    }  # fmt: skip
    if ticket is not None:
        found = run(_CLAIM_OF_TICKET, wanted | {"ticket": ticket.pk, "project": project.pk if project else None})
    elif project is not None:
        found = run(_CLAIM_OF_PROJECT, wanted | {"project": project.pk})
    else:
        found = run(_CLAIM, wanted)
    if not found:
        note_seen(worker, before)
        return None
    old_state, old_holder, *row = found[0]
    task = build(StageTask, row[: width(StageTask)])
    task.claimed_by = worker
    task.ticket = read_ticket(row[width(StageTask) :], worker.tenant)
    if task.attempt > task.max_attempts:
        return _bury(task)
    failpoint("before_claim_commit")
    note_seen(worker, before)
    if task.ticket.state in IDLE:
        _start(task, by)
    if old_state == TaskState.CLAIMED:
        _tell_expired(task, old_holder)
    publish_about(task.ticket, "ticket.stage_claimed", by=by, data=claim_data(task))
    transaction.on_commit(lambda: failpoint("after_claim_commit"))
    return task


def _tell_expired(task: StageTask, old_holder: int | None) -> None:
    """Whoever held it before let its lease run out."""
    holder = Worker.objects.filter(pk=old_holder or 0).first()
    data = claim_data(task) | {"worker_id": holder.worker_id if holder else "", "fence": task.fence - 1}
    publish_about(task.ticket, "ticket.stage_lease_expired", by=None, data=data | {"attempt": task.attempt - 1})


def claim_data(task: StageTask) -> dict[str, object]:
    """What facts say of a claim."""
    return {
        "task_id": task.pk,
        "stage": task.worker_type,
        "stage_number": task.stage_number,
        "worker_id": task.claimed_by.worker_id if task.claimed_by else "",
        "attempt": task.attempt,
        "fence": task.fence,
    }


def _start(task: StageTask, by: User) -> None:
    """Work on the ticket begins. Its row comes after the task's here, against the order of all others, so do not wait."""
    ticket = (
        Ticket.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("project", "tenant")
        .filter(pk=task.ticket_id)
        .first()
    )
    if ticket is None:
        raise _Busy
    if ticket.state in IDLE:
        step_to(ticket, "start", by=by, data={"stage": task.worker_type})
    task.ticket = ticket


def _bury(task: StageTask) -> StageTask:
    """No attempts are left: a person has to look."""
    task.attempt -= 1
    task.state = TaskState.DEAD
    task.lease_until = None
    task.last_error = task.last_error or GAVE_UP.format(attempts=task.attempt)
    task.finished_at = now()
    task.save(update_fields=["attempt", "state", "lease_until", "last_error", "finished_at"])
    publish_about(task.ticket, "ticket.stage_exhausted", by=None, data=claim_data(task) | {"error": task.last_error})
    return task


def heartbeat_task(*, task: StageTask, fence: int, by: User, lease_seconds: int | None = None) -> StageTask:
    """Extend the lease from now on, also one that ran out if nobody else took the task since.

    LeaseLost (lease_lost, task_canceled, already_completed) tells a worker to stop. Leaves no fact.
    """
    permissions.check_can_work(by, task.ticket.tenant)
    lease = clean_lease(lease_seconds)
    moment = now()
    extended = run(
        "UPDATE tickets_stagetask task SET lease_until = clock_timestamp() + interval '1 second' * COALESCE(%s::int,"
        " (SELECT (settings ->> 'lease_seconds')::int FROM tickets_project WHERE id = task.project_id), 300)"
        " WHERE id = %s AND fence = %s AND state = 'claimed' AND claimed_account_id = %s RETURNING lease_until",
        [lease, task.pk, fence, by.pk],
    )
    if not extended:
        raise lease_lost(task, fence, by)
    task.refresh_from_db()
    if task.claimed_by is not None:
        note_seen(task.claimed_by, moment)
    return task


def lease_lost(task: StageTask, fence: int, by: User) -> Exception:
    """Why `fence` does not hold the task any more."""
    current = StageTask.objects.select_related("claimed_by", "ticket").get(pk=task.pk)
    key, stage = current.ticket.key, current.worker_type
    details = {"task_id": current.pk, "state": current.state}
    if current.state == TaskState.DONE:
        return LeaseLost(
            f"{stage} of {key} was completed already. Nothing was changed.", code="already_completed", details=details
        )
    if current.state == TaskState.CANCELED:
        return LeaseLost(
            f"{stage} of {key} was taken back: {current.last_error or 'the ticket moved on.'} Stop working on it.",
            code="task_canceled",
            details=details,
        )
    if current.state == TaskState.WAITING_FOR_PERSON:
        return Conflict(
            f"{stage} of {key} is a gate: a person has to decide.", code="gate_needs_person", details=details
        )
    if current.state != TaskState.CLAIMED:
        return LeaseLost(
            f"{stage} of {key} is not claimed. Claim it before you work on it.", code="not_claimed", details=details
        )
    if current.fence == fence and current.claimed_account_id != by.pk:
        return LeaseLost(f"{stage} of {key} is held by another account.", code="not_claimant", details=details)
    holder = current.claimed_by.worker_id if current.claimed_by else "another worker"
    return LeaseLost(
        f"Your lease on {stage} of {key} ran out and {holder} has taken it since. Nothing was changed; claim anew.",
        details=details,
    )
