"""Gauges of requests and deployments for /metrics, read from the database when asked, by index."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Min
from prometheus_client.core import GaugeMetricFamily

from core.clock import now
from promotions.models import Deployment, PromotionRequest
from promotions.states import ACTIVE, DEPLOYMENT_ACTIVE, State


def promotion_gauges() -> Iterator[GaugeMetricFamily]:
    """Requests and deployment attempts that are not over, by state, and how long the oldest request has waited."""
    requests = GaugeMetricFamily("stagepass_requests", "Requests that are not over.", labels=["state"])
    counted = dict(PromotionRequest.objects.active().order_by().values_list("state").annotate(Count("id")))
    for state in ACTIVE:
        requests.add_metric([state.value], counted.get(state.value, 0))
    yield requests
    deployments = GaugeMetricFamily("stagepass_deployments", "Attempts that are not over.", labels=["state"])
    attempts = dict(Deployment.objects.active().order_by().values_list("state").annotate(Count("id")))
    for attempt in DEPLOYMENT_ACTIVE:
        deployments.add_metric([attempt.value], attempts.get(attempt.value, 0))
    yield deployments
    oldest = PromotionRequest.objects.filter(state=State.PENDING).aggregate(at=Min("created_at"))["at"]
    waited = (now() - oldest).total_seconds() if oldest else 0.0
    yield GaugeMetricFamily("stagepass_oldest_pending_seconds", "Age of the oldest pending request.", value=waited)
