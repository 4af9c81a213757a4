"""Gauges of delivery for /metrics, read from the database when asked; every count here has an index of its own."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily

from events.health import measure_outbox
from events.models import Delivery, DeliveryState


def outbox_gauges() -> Iterator[GaugeMetricFamily]:
    """How far delivery is behind, and the deliveries that are not done, by channel and state."""
    outbox = measure_outbox()
    yield GaugeMetricFamily("stagepass_facts_unrouted", "Facts without deliveries yet.", value=outbox["unrouted"])
    yield GaugeMetricFamily(
        "stagepass_outbox_lag_seconds", "Age of the oldest delivery that is due.", value=outbox["lag_seconds"]
    )
    gauge = GaugeMetricFamily("stagepass_deliveries", "Deliveries that are not done.", labels=["channel", "state"])
    for state in (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEAD):
        rows = Delivery.objects.filter(state=state).order_by().values_list("channel").annotate(Count("id"))
        for channel, number in rows:
            gauge.add_metric([channel, state.value], number)
    yield gauge
