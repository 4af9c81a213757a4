"""Celery: launch and follow deployments, release what is due, let requests lapse."""

from __future__ import annotations

import time

from celery import shared_task

from core.clock import now
from core.context import acting_through
from core.doorbell import ring
from core.errors import DomainError
from core.gitcli import run_git
from promotions.audit import push
from promotions.audit.repository import AuditRepository
from promotions.models import Deployment, PromotionRequest
from promotions.services import expire_request, release_scheduled_request, remind_approvers, remind_reviewers
from promotions.services.engine import follow, launch
from promotions.states import DeploymentState, State

SWEEP_LIMIT = 200
SWEEP_SECONDS = 30


@shared_task(name="promotions.launch_deployment")
def launch_deployment(deployment_id: int) -> None:
    deployment = Deployment.objects.select_related("promotion").get(pk=deployment_id)
    if launch(deployment):
        ring("promotions.follow_deployment", deployment_id)


@shared_task(name="promotions.follow_deployment")
def follow_deployment(deployment_id: int) -> None:
    deployment = Deployment.objects.select_related("promotion").get(pk=deployment_id)
    wait = follow(deployment)
    if wait is not None:
        # A moment later than the next look, or it would not be due yet.
        ring("promotions.follow_deployment", deployment_id, countdown=wait + 0.05)


@shared_task(name="promotions.sweep_deployments")
def sweep_deployments() -> None:
    """Wake whatever attempt has waited past its time, in case its doorbell was not heard."""
    due = Deployment.objects.active().filter(next_at__lte=now()).order_by("next_at")[:SWEEP_LIMIT]
    for pk, state in due.values_list("pk", "state"):
        running = state == DeploymentState.RUNNING
        ring("promotions.follow_deployment" if running else "promotions.launch_deployment", pk)


@shared_task(name="promotions.sweep_due_dates")
def sweep_due_dates() -> None:
    """Deploy what is scheduled for now, let lapse what nobody decided; each once, however many sweep."""
    with acting_through("system"):
        for promotion in PromotionRequest.objects.filter(state=State.SCHEDULED, scheduled_at__lte=now())[:SWEEP_LIMIT]:
            _unless_someone_else(release_scheduled_request, promotion)
        for promotion in PromotionRequest.objects.filter(state=State.PENDING, expires_at__lte=now())[:SWEEP_LIMIT]:
            _unless_someone_else(expire_request, promotion)


@shared_task(name="promotions.sweep_reminders")
def sweep_reminders() -> None:
    """Remind of whatever is due, the longest overdue first, for a while; the next sweep goes on."""
    end = time.monotonic() + SWEEP_SECONDS
    with acting_through("system"):
        for verb, column, waiting in (
            (remind_reviewers, "review_remind_at", PromotionRequest.objects.review_owed()),
            (remind_approvers, "remind_at", PromotionRequest.objects.filter(state=State.PENDING)),
        ):
            while time.monotonic() < end:
                due = waiting.filter(**{f"{column}__lte": now()}).order_by(column)
                found = list(due[:SWEEP_LIMIT])
                for promotion in found:
                    _unless_someone_else(verb, promotion)
                if len(found) < SWEEP_LIMIT:
                    break


def _unless_someone_else(verb, promotion: PromotionRequest) -> None:
    try:
        verb(promotion=promotion)
    except DomainError:  # another sweep or a person was faster: that is the outcome then
        return


@shared_task(name="promotions.push_audit")
def push_audit() -> str:
    """Carry new commits of the audit repository to its remote."""
    with acting_through("system"):
        return push.push_audit()


@shared_task(name="promotions.pack_audit")
def pack_audit() -> None:
    """Pack the audit repository's loose objects, as git advises; nothing reachable is dropped."""
    run_git(AuditRepository.open().path, "gc", "--quiet", limit=500)
