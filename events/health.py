"""How far delivery lags behind the fact log, for /readyz and /metrics."""

from __future__ import annotations

from typing import Any

from django.db.models import Max

from core.clock import now
from events.models import ChannelHealth, Delivery, DeliveryState, DispatchCursor, DomainEvent

LAG_IS_LATE = 60


def check_outbox() -> dict[str, Any]:
    """Late when a delivery has been due for a minute; dead letters are told, and wait for a person."""
    outbox = measure_outbox()
    dead = Delivery.objects.filter(state=DeliveryState.DEAD).count()
    return {"ok": outbox["lag_seconds"] < LAG_IS_LATE, **outbox, "dead": dead}


def measure_outbox() -> dict[str, Any]:
    """Facts not routed yet, and the age of the oldest delivery that is due."""
    head = DomainEvent.objects.aggregate(head=Max("sequence"))["head"] or 0
    position = DispatchCursor.objects.values_list("position", flat=True).first() or 0
    # What waits for a channel in trouble is that channel's lag, told by its health, and not ours.
    troubled = ChannelHealth.objects.filter(failures__gt=0).values("channel")
    due = Delivery.objects.due().exclude(channel__in=troubled)
    oldest = due.order_by("fact_id").values_list("created_at", flat=True).first()
    lag = round((now() - oldest).total_seconds(), 1) if oldest else 0.0
    return {"unrouted": head - position, "lag_seconds": lag}
