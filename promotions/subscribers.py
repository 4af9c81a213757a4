"""What promotions do when facts are delivered: wake the deployment whose approval is now on record."""

from __future__ import annotations

from core.doorbell import ring
from events.models import DomainEvent
from promotions.models import Deployment
from promotions.services.transition import SUBJECT_TYPE
from promotions.states import DeploymentState


def wake_deployment(fact: DomainEvent) -> None:
    """Ring for the queued attempts of the request that `fact` is about."""
    if fact.subject_type != SUBJECT_TYPE:
        return
    queued = Deployment.objects.filter(
        promotion__number=fact.subject_id, state__in=[DeploymentState.QUEUED, DeploymentState.LAUNCHING]
    )
    for pk in queued.values_list("pk", flat=True):
        ring("promotions.launch_deployment", pk)
