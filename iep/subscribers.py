"""What import maps do when facts are delivered: a release becomes a deployment in the event tracker, once."""

from __future__ import annotations

from typing import Any

from events.models import Delivery, Event
from events.tracker.records import record_event
from events.tracker.vocabulary import Environment, Priority, Status, Type


def record_deployment(delivery: Delivery) -> dict[str, Any]:
    """One deployment event per release and revert; a repetition finds it by the fact's id. The receipt names it."""
    fact = delivery.fact
    key = f"fact-{fact.id}"
    if fact.tenant is None or Event.objects.filter(tenant=fact.tenant, slack_id=key).exists():
        return {}
    data = fact.data
    took_back = fact.type == "stamp.taken_back"
    what = "Take back" if took_back else "Release"
    event = record_event(
        tenant=fact.tenant,
        content={
            "title": f"{what} {data['ticket']} on {data['application']} (r{data['release']})",
            "message": data.get("reason") or f"{data['paths_count']} modules: {', '.join(data['paths'][:10])}",
            "type": Type.deployment,
            "priority": Priority.P3,
            "service": data["application"],
            "source": "import maps",
            "status": Status.success,
            "environment": Environment.production,
            "owner": fact.actor_label,
            "ticket": data["ticket"],
            "started_at": fact.occurred_at,
            "ended_at": fact.occurred_at,
            "slack_id": key,
        },
        by=None,
    )
    return {"event": str(event.pk)}
