"""The workers: who is there, what they hold, and how long the queues are."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.pages import person_of
from core.console import is_partial
from tickets.models import StageTask
from tickets.pages.board import sees_many_tenants
from tickets.selectors import list_workers, queue_lengths
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
    context = {
        "rows": [(worker, tasks.get(worker.pk)) for worker in workers[:MOST]],
        "more": len(workers) > MOST,
        "status": status,
        "queues": queue_lengths(user=user),
        "with_tenant": sees_many_tenants(user),
    }
    part = is_partial(request) and request.GET.get("part") == "live"
    return render(request, "tickets/workers.html#live" if part else "tickets/workers.html", context)
