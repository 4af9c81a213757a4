"""How a fact is told to other systems: the names of the promotion requests' specification, or CloudEvents 1.0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings

from core.canonical import utc_text
from events.models import DomainEvent

VERSION = "1.0"
PLAIN, CLOUDEVENTS = "plain", "cloudevents"
# As CDEvents, each in the words of a profile (events/cdevents/emission.py).
CDEVENTS = {
    "cdevents": "standard", "cdevents-custom": "custom", "cdevents-draft": "draft", "cdevents-all": "draft-custom",
    "cdevents-legacy": "legacy",
}  # fmt: skip
FORMS = (PLAIN, CLOUDEVENTS, *CDEVENTS)
CONTENT_TYPES = dict.fromkeys((CLOUDEVENTS, *CDEVENTS), "application/cloudevents+json") | {PLAIN: "application/json"}


def event_name(fact_type: str) -> str:
    """The fact's name outside: promotion.created is request-created, deployment.cancel_requested is deployment-cancel-…"""
    return fact_type.replace("promotion.", "request.", 1).replace(".", "-").replace("_", "-")


def payload_of(fact: DomainEvent) -> dict[str, Any]:
    """What happened to what, and what it is like afterwards."""
    return {
        "sequence": fact.sequence,
        "fact": fact.type,
        "subject": {"type": fact.subject_type, "id": fact.subject_id, "label": fact.subject_label},
        "actor": fact.actor_label,
        "through": fact.surface,
        "data": fact.data,
    }


def _plain(fact: DomainEvent) -> dict[str, Any]:
    return {
        "id": str(fact.id),
        "type": event_name(fact.type),
        "source": settings.SITE_URL,
        "tenant_id": fact.tenant.slug if fact.tenant else None,
        "timestamp": utc_text(fact.occurred_at),
        "version": VERSION,
        "user_id": fact.actor_label,
        "payload": payload_of(fact),
    }


def _cloudevent(fact: DomainEvent) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(fact.id),
        "source": settings.SITE_URL,
        "type": f"dev.stagepass.{fact.type}",
        "subject": fact.subject_id,
        "time": utc_text(fact.occurred_at),
        "datacontenttype": "application/json",
        **({"tenant": fact.tenant.slug} if fact.tenant else {}),
        "data": payload_of(fact),
    }


def envelopes(fact: DomainEvent, form: str) -> list[dict[str, Any]]:
    """The fact in one of FORMS, as CDEvents perhaps several or none; telling it again gives the same ids."""
    if form not in CDEVENTS:
        return [envelope(fact, form)]
    from events.cdevents.emission import as_cloudevent, cdevents_of  # loads the schemas of CDEvents

    return [as_cloudevent(body) for body in cdevents_of(fact, profile=CDEVENTS[form])]


def envelope(fact: DomainEvent, form: str) -> dict[str, Any]:
    """The fact as one message, plain or as a CloudEvent; telling it again gives the same id. Its tenant should be loaded."""
    make: Callable[[DomainEvent], dict[str, Any]] = {PLAIN: _plain, CLOUDEVENTS: _cloudevent}[form]
    return make(fact)
