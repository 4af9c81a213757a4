"""How far delivery lags behind the fact log, for /readyz."""

from __future__ import annotations

from typing import Any

from django.db.models import Max

from core.clock import now
from events.models import Delivery, DeliveryState, DispatchCursor, DomainEvent

LAG_IS_LATE = 60


def check_outbox() -> dict[str, Any]:
    """Facts not routed yet, the age of the oldest delivery that is due, and dead letters."""
    head = DomainEvent.objects.aggregate(head=Max("sequence"))["head"] or 0
    position = DispatchCursor.objects.values_list("position", flat=True).first() or 0
    oldest = Delivery.objects.due().order_by("fact_id").values_list("created_at", flat=True).first()
    lag = round((now() - oldest).total_seconds(), 1) if oldest else 0.0
    return {
        "ok": lag < LAG_IS_LATE,
        "unrouted": head - position,
        "lag_seconds": lag,
        "dead": Delivery.objects.filter(state=DeliveryState.DEAD).count(),
    }
