"""The workers: who is there, what they hold, how long the queues are; and stopping one."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.pages import person_of
from accounts.roles import Capability
from accounts.selectors import grants_of
from core.console import go, is_partial
from core.errors import DomainError
from tickets import permissions, services
from tickets.forms import StopWorkerForm
from tickets.models import StageTask, Worker
from tickets.pages.board import sees_many_tenants
from tickets.selectors import find_worker, list_waiting_for_people, list_workers, queue_lengths
from tickets.states import TaskState

MOST = 200


@require_safe
@login_required
def worker_list(request: HttpRequest) -> HttpResponse:
    """Workers this person may see, by type, and the queues they serve."""
    user = person_of(request)
    status = request.GET.get("status", "")
    workers = list(
        list_workers(user=user, status=status if status in {"active", "idle", "stopped"} else "")[: MOST + 1]
    )
    held = StageTask.objects.filter(claimed_by__in=[worker.pk for worker in workers], state=TaskState.CLAIMED)
    tasks = {task.claimed_by_id: task for task in held.select_related("ticket__tenant") if task.lease_runs}
    stoppable = _stoppable_by(user, workers)
    context = {
        "rows": [(worker, tasks.get(worker.pk), worker.pk in stoppable) for worker in workers[:MOST]],
        "more": len(workers) > MOST,
        "status": status,
        "queues": queue_lengths(user=user),
        "waiting": list_waiting_for_people(user=user),
        "with_tenant": sees_many_tenants(user),
    }
    part = is_partial(request) and request.GET.get("part") == "live"
    return render(request, "tickets/workers.html#live" if part else "tickets/workers.html", context)


def _stoppable_by(user: User, workers: list[Worker]) -> set[int]:
    """Those that the person may stop, without a query for each; stopping asks again."""
    grants = grants_of(user)
    return {
        worker.pk
        for worker in workers
        if worker.stopped_at is None
        and (worker.owner_id == user.pk or grants.allow(Capability.EDIT_TICKETS, worker.tenant_id))
    }


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def worker_stop(request: HttpRequest, tenant: str, worker_id: str) -> HttpResponse:
    """Asks once on GET, stops the worker on POST; what it holds is queued again."""
    user, status = person_of(request), 200
    worker = find_worker(user=user, worker_id=worker_id, tenant=tenant)
    form = StopWorkerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.stop_worker(worker=worker, by=user, reason=form.cleaned_data["comment"])
        except DomainError as error:
            form.take(error)
            status = 422
        else:
            messages.success(request, f"{worker.worker_id} is stopped; what it held is queued again.")
            return go(request, reverse("workers"))
    held = StageTask.objects.filter(claimed_by=worker, state=TaskState.CLAIMED).select_related("ticket__tenant").first()
    context = {
        "worker": worker,
        "task": held,
        "form": form,
        "with_tenant": sees_many_tenants(user),
        "reason_against": permissions.reason_against(permissions.check_can_stop_worker, user, worker),
    }
    return render(request, "tickets/worker_stop.html", context, status=status)
