"""Reads of stage tasks, workers and projects, and why something cannot be claimed."""

from __future__ import annotations

from django.db.models import Count, Q, QuerySet

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import has_capability, home_tenant, tenants_where
from core.clock import now
from core.errors import Conflict, InvalidInput, NotFound
from tickets.models import Project, StageTask, StageTaskQuerySet, Ticket, Worker, WorkerQuerySet
from tickets.states import SATISFIED, TASK_OPEN, TASK_READY, TaskState
from tickets.types import ClaimAnswer, Reason


def find_task(*, user: User, task_id: int) -> StageTask:
    """The task with this id, its ticket loaded; NotFound when `user` may not see it."""
    tasks = StageTask.objects.visible_to(user).select_related("ticket__project", "ticket__tenant", "claimed_by")
    found = tasks.filter(pk=task_id).first() if 0 < task_id < 2**63 else None
    if found is None:
        raise NotFound(f"There is no task {task_id} that you may see.")
    return found


def list_tasks(
    *,
    user: User,
    states: tuple[str, ...] = (),
    worker_type: str = "",
    ticket: Ticket | None = None,
    worker: Worker | None = None,
) -> StageTaskQuerySet:
    """Tasks, newest first; open ones unless `states` or a ticket is given. InvalidInput for an unknown state."""
    if set(states) - set(TaskState.values):
        raise InvalidInput({"state": [f"Choose one of: {', '.join(TaskState.values)}."]})
    tasks = StageTask.objects.visible_to(user).select_related("ticket", "project", "claimed_by")
    if states or ticket is None:
        tasks = tasks.filter(state__in=states or TASK_OPEN)
    if worker_type:
        tasks = tasks.filter(worker_type=worker_type.replace("\x00", ""))
    if ticket is not None:
        tasks = tasks.filter(ticket=ticket)
    return tasks.filter(claimed_by=worker) if worker is not None else tasks


def list_waiting_for_people(*, user: User, limit: int = 20) -> list[StageTask]:
    """The stages that no worker can take on: gates, and those that ran out of attempts; the oldest first."""
    waiting = StageTask.objects.visible_to(user).filter(state__in=(TaskState.DEAD, TaskState.WAITING_FOR_PERSON))
    return list(waiting.open().select_related("ticket__tenant").order_by("id")[:limit])


def queue_lengths(*, user: User) -> list[dict[str, object]]:
    """Per worker type: how many tasks wait, are claimed, failed, dead or wait for a person."""
    tasks = StageTask.objects.visible_to(user).open().order_by("worker_type")
    counts = {state.value: Count("pk", filter=Q(state=state)) for state in TASK_OPEN}
    return [
        {"queue_name": f"{row['worker_type']}-queue", **row} for row in tasks.values("worker_type").annotate(**counts)
    ]


def find_worker(*, user: User, worker_id: str, tenant: str = "") -> Worker:
    """The worker with this name that `user` may see; NotFound, or Conflict (ambiguous_key) as for tickets."""
    workers = Worker.objects.visible_to(user).select_related("tenant", "project", "owner")
    if tenant:
        workers = workers.filter(tenant__slug=tenant)
    found = list(workers.filter(worker_id__iexact=worker_id.replace("\x00", "\ufffd"))[:20])
    own = [worker for worker in found if worker.owner_id == user.pk]
    if not found:
        raise NotFound(f"Worker '{worker_id[:100]}' not found. Register it first.")
    if len(found) > 1 and len(own) != 1:
        slugs = sorted(worker.tenant.slug for worker in found)
        raise Conflict(
            f"Several tenants have a worker {worker_id}: {', '.join(slugs)}. Name the tenant.",
            code="ambiguous_key",
            field="tenant",
            details={"tenants": slugs},
        )
    return own[0] if len(own) == 1 else found[0]


def list_workers(
    *, user: User, worker_type: str = "", status: str = "", project: Project | None = None
) -> WorkerQuerySet:
    """Workers by type and name, with `is_busy`; `status` is active, idle or stopped. InvalidInput for another."""
    workers = Worker.objects.visible_to(user).with_load().select_related("tenant", "project", "owner")
    if worker_type:
        workers = workers.filter(worker_type=worker_type.replace("\x00", ""))
    if project is not None:
        workers = workers.filter(Q(project=project) | Q(project=None, tenant=project.tenant))
    if status in {"active", "idle"}:
        return workers.present().busy(status == "active")
    if status == "stopped":
        return workers.exclude(pk__in=Worker.objects.present().values("pk"))
    if status:
        raise InvalidInput({"status": ["Choose one of: active, idle, stopped."]})
    return workers


def find_project(*, user: User, key: str, tenant: str = "") -> Project:
    """The project with this key that `user` may see; NotFound, or Conflict (ambiguous_key) as for tickets."""
    projects = Project.objects.visible_to(user).select_related("tenant")
    if tenant:
        projects = projects.filter(tenant__slug=tenant)
    found = list(projects.filter(key__iexact=key.replace("\x00", "\ufffd"))[:20])
    if not found:
        raise NotFound(f"Project '{key[:100]}' not found")
    if len(found) > 1:
        slugs = sorted(project.tenant.slug for project in found)
        raise Conflict(
            f"Several tenants have a project {key}: {', '.join(slugs)}. Name the tenant.",
            code="ambiguous_key",
            field="tenant",
            details={"tenants": slugs},
        )
    return found[0]


def list_projects(*, user: User) -> QuerySet[Project]:
    """Projects by key."""
    return Project.objects.visible_to(user).select_related("tenant").order_by("key", "id")


def working_tenant(*, user: User, tenant: str = "", capability: Capability = Capability.WORK_TICKETS) -> Tenant:
    """The tenant meant: the one named, or the caller's home. NotFound for a hidden one, InvalidInput when unclear."""
    mine = tenants_where(user, capability)
    if tenant:
        found = tenants_where(user, Capability.VIEW_TICKETS).filter(slug=tenant).first()
        if found is None:
            raise NotFound(f"There is no tenant {tenant[:80]} that you may see.")
        return found
    home = home_tenant(user, mine) or home_tenant(user, tenants_where(user, Capability.VIEW_TICKETS))
    if home is None:
        raise InvalidInput({"tenant": ["You belong to no single tenant: name one."]})
    return home


def named_tenant(*, user: User, tenant: str) -> Tenant | None:
    """The tenant with this slug; None when none is named. NotFound when `user` sees none of its tickets."""
    return working_tenant(user=user, tenant=tenant) if tenant else None


def explain_claim(*, user: User, ticket: Ticket, worker: Worker | None = None, worker_type: str = "") -> ClaimAnswer:
    """Whether the ticket's next stage could be claimed now, and every rule that stands against it, by name.

    The rules are those of `claim_task`: codes no_right, worker_stopped, ticket_closed, no_stage_left, not_queued,
    wrong_type, wrong_project, gate, dead, back_off, claimed, blocked.
    """
    reasons = [*_against_caller(user, ticket, worker), *_against_ticket(ticket)]
    task = StageTask.objects.select_related("claimed_by").filter(
        ticket=ticket, step=ticket.progress, state__in=TASK_OPEN
    ).first()  # fmt: skip
    wanted = worker.worker_type if worker else worker_type
    if wanted and ticket.stage and wanted != ticket.stage:
        reasons.append(
            Reason("wrong_type", f"The next stage is {ticket.stage}, not {wanted}.", {"stage": ticket.stage})
        )
    if task is not None:
        reasons += _against_task(task)
    elif ticket.stage and not ticket.is_closed:
        reasons.append(Reason("not_queued", f"{ticket.stage} is not queued yet. Queue it."))
    return ClaimAnswer(not reasons, tuple(reasons))


def _against_caller(user: User, ticket: Ticket, worker: Worker | None) -> list[Reason]:
    reasons = []
    if not has_capability(user, Capability.WORK_TICKETS, ticket.tenant_id):
        reasons.append(Reason("no_right", f"You may not work on tickets of {ticket.tenant.slug}."))
    if worker is not None and worker.stopped_at is not None:
        reasons.append(Reason("worker_stopped", f"The worker {worker.worker_id} is stopped. Register it again."))
    if worker is not None and worker.project_id is not None and worker.project_id != ticket.project_id:
        reasons.append(Reason("wrong_project", f"The worker {worker.worker_id} works for another project only."))
    if worker is not None and worker.tenant_id != ticket.tenant_id:
        reasons.append(Reason("wrong_tenant", f"The worker {worker.worker_id} belongs to another tenant."))
    return reasons


def _against_ticket(ticket: Ticket) -> list[Reason]:
    if ticket.is_closed:
        return [Reason("ticket_closed", f"{ticket.key} is closed ({ticket.state}). Reopen it first.")]
    if not ticket.stage:
        return [Reason("no_stage_left", f"Every stage of {ticket.key} is done." if ticket.plan else "It has no plan.")]
    blockers = list(ticket.depends_on.exclude(state__in=SATISFIED).order_by("id").values_list("key", "state")[:20])
    if not blockers:
        return []
    told = ", ".join(f"{key} ({state.replace('_', ' ')})" for key, state in blockers)
    return [Reason("blocked", f"It waits for {told}.", {"blocked_by": [key for key, _ in blockers]})]


def _against_task(task: StageTask) -> list[Reason]:
    if task.state == TaskState.WAITING_FOR_PERSON:
        return [Reason("gate", f"{task.worker_type} is a gate: a person has to decide.")]
    if task.state == TaskState.DEAD:
        return [Reason("dead", f"It failed {task.attempt} times: {task.last_error} A person has to retry it.")]
    if task.lease_runs and task.lease_until:
        holder = task.claimed_by.worker_id if task.claimed_by else "another worker"
        until = task.lease_until.strftime("%H:%M:%S")
        return [Reason("claimed", f"{holder} holds it until {until} UTC.", {"worker_id": holder})]
    if task.state in TASK_READY and task.next_at > now():
        at = task.next_at.strftime("%H:%M:%S")
        return [Reason("back_off", f"It failed before and is tried again at {at} UTC.", {"error": task.last_error})]
    return []
