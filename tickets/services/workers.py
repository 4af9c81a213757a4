"""Workers come, are seen, and go; what they held is queued again when they go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.models import Tenant, User
from core.clock import now
from core.errors import Conflict, InvalidInput
from tickets import permissions
from tickets.models import Project, StageTask, Worker
from tickets.services.facts import publish_about, publish_about_worker
from tickets.states import TaskState
from tickets.validation import clean_names, clean_text, clean_worker_type

SEEN_EVERY = dt.timedelta(seconds=5)
SILENCE_SECONDS = 600


def register_worker(
    *,
    worker_id: str,
    worker_type: str,
    tenant: Tenant,
    by: User,
    project: Project | None = None,
    capabilities: Sequence[str] = (),
    silence_seconds: int = SILENCE_SECONDS,
) -> Worker:
    """A worker under the caller's account; registering again changes its type and lets a stopped one come back.

    Leaves `worker.started` when it is new or comes back. `silence_seconds`: not heard of for so long, it counts as
    stopped. NotAllowed without the right to work, Conflict (worker_taken) for a name of another account's.
    """
    permissions.check_can_work(by, tenant)
    worker_id = clean_text("worker_id", worker_id, minimum=1, longest=200, what="name")
    worker_type = clean_worker_type("worker_type", worker_type)
    if not 5 <= silence_seconds <= 366 * 24 * 3600:
        raise InvalidInput({"silence_seconds": ["Choose between 5 seconds and a year."]})
    if project is not None and project.tenant_id != tenant.pk:
        raise InvalidInput({"project_id": ["The project belongs to another tenant."]})
    columns: dict[str, object] = {
        "worker_type": worker_type,
        "project": project,
        "capabilities": clean_names("capabilities", capabilities),
        "silence_seconds": silence_seconds,
    }
    try:
        with transaction.atomic():
            return _register(worker_id, tenant, by, columns)
    except IntegrityError:  # two at once under one name: the second finds the first
        with transaction.atomic():
            return _register(worker_id, tenant, by, columns)


def _register(worker_id: str, tenant: Tenant, by: User, columns: dict[str, object]) -> Worker:
    moment = now()
    known = Worker.objects.select_for_update(of=("self",)).filter(tenant=tenant, worker_id__iexact=worker_id).first()
    if known is not None and known.owner_id != by.pk:
        raise Conflict(
            f"A worker of another account is called {worker_id}. Choose another name.",
            code="worker_taken",
            field="worker_id",
        )
    was_there = known is not None and known.is_present
    worker = known or Worker(tenant=tenant, worker_id=worker_id, owner=by)
    for name, value in columns.items():
        setattr(worker, name, value)
    worker.stopped_at, worker.stop_reason, worker.last_seen_at = None, "", moment
    worker.silent_at = moment + dt.timedelta(seconds=worker.silence_seconds)
    worker.save()
    if not was_there:
        publish_about_worker(worker, "worker.started", by=by, data={"capabilities": worker.capabilities})
    return worker


@transaction.atomic
def stop_worker(*, worker: Worker, by: User | None, reason: str = "") -> Worker:
    """It works no more: what it holds is queued again for others, without counting the attempt.

    Leaves `worker.stopped`, and `ticket.stage_released` for each task. Stopping twice changes nothing. NotAllowed unless
    it is the caller's own or the caller may change tickets; `by=None` is the system, for workers that fell silent.
    """
    if by is not None:
        permissions.check_can_stop_worker(by, worker)
    reason = clean_text("reason", reason, longest=500) or "It was stopped."
    held = list(
        StageTask.objects.select_for_update(of=("self",))
        .select_related("ticket__project", "ticket__tenant")
        .filter(claimed_by=worker, state=TaskState.CLAIMED)
        .order_by("pk")
    )
    changed = Worker.objects.filter(pk=worker.pk, stopped_at=None).update(stopped_at=now(), stop_reason=reason)
    worker.refresh_from_db()
    if not changed:
        return worker
    for task in held:
        StageTask.objects.filter(pk=task.pk).update(
            state=TaskState.QUEUED, next_at=now(), lease_until=None, attempt=F("attempt") - 1
        )
    for task in held:
        data = {"task_id": task.pk, "stage": task.worker_type, "worker_id": worker.worker_id, "reason": reason}
        publish_about(task.ticket, "ticket.stage_released", by=by, data=data)
    publish_about_worker(
        worker, "worker.stopped", by=by, data={"reason": reason, "tickets": [task.ticket.key for task in held]}
    )
    return worker


def stop_silent_workers() -> int:
    """Stop the workers that were not heard of for as long as they said; how many. Only for the record: leases end alone."""
    count = 0
    silent = Worker.objects.select_related("tenant").filter(stopped_at=None, silent_at__lte=now())
    for worker in silent[:200]:
        with transaction.atomic():
            mine = Worker.objects.select_for_update(skip_locked=True).filter(pk=worker.pk, silent_at__lte=now()).first()
            if mine is not None:
                stop_worker(
                    worker=mine,
                    by=None,
                    reason=f"Not heard of for {worker.silence_seconds} seconds, so it counts as gone.",
                )
                count += 1
    return count


def heartbeat_worker(*, worker: Worker, by: User) -> Worker:
    """It is still there. Conflict (worker_stopped) tells it to end or to register again."""
    permissions.check_can_work(by, worker.tenant)
    permissions.check_owns_worker(by, worker)
    if worker.stopped_at is not None:
        raise Conflict(f"The worker {worker.worker_id} was stopped: {worker.stop_reason}", code="worker_stopped")
    note_seen(worker, now())
    return worker


def note_seen(worker: Worker, moment: dt.datetime) -> None:
    """Remember that it was heard of, every few seconds, so that polling does not become writing."""
    if moment - worker.last_seen_at >= SEEN_EVERY:
        worker.last_seen_at = moment
        worker.silent_at = moment + dt.timedelta(seconds=worker.silence_seconds)
        Worker.objects.filter(pk=worker.pk, stopped_at=None).update(last_seen_at=moment, silent_at=worker.silent_at)
