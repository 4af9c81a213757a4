"""What a deployer calls back about a job: a hint to look now, never a truth."""

from __future__ import annotations

import uuid

from django.db.models import QuerySet

from core.clock import now
from core.doorbell import ring_on_commit
from promotions.models import Deployment
from promotions.states import DeploymentState


def report_job(*, nonce: uuid.UUID | None, request_id: str, job_id: str) -> bool:
    """Look at the running attempt that a callback is about, now instead of at its next turn; whether there is one.

    An attempt whose launch is not recorded yet is looked at as soon as it is, one that has ended stays as it is; neither
    needs anything. So the worst that a false callback does is one look.
    """
    running = _attempts(nonce, request_id, job_id).filter(state=DeploymentState.RUNNING)
    for pk in list(running.values_list("pk", flat=True)):
        Deployment.objects.filter(pk=pk, state=DeploymentState.RUNNING).update(next_at=now())
        ring_on_commit("promotions.follow_deployment", pk)
        return True
    return False


def _attempts(nonce: uuid.UUID | None, request_id: str, job_id: str) -> QuerySet[Deployment]:
    """By the nonce, or by the job's number together with the request it says it is for."""
    if nonce is not None:
        return Deployment.objects.filter(nonce=nonce)
    if request_id and job_id:
        return Deployment.objects.filter(promotion__number=request_id, job_id=job_id)
    return Deployment.objects.none()
