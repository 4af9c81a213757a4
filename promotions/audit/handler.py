"""The audit channel: each fact about a request becomes one commit, off the request path."""

from __future__ import annotations

from django.conf import settings

from core.doorbell import ring
from core.failpoints import failpoint
from events.models import Delivery, DomainEvent
from events.types import DeliveryRefused
from promotions.audit.commits import NotRecordable, entry_of
from promotions.audit.document import BadDocument
from promotions.audit.repository import AuditRepository
from promotions.subscribers import wake_deployment

CHANNEL = "audit"


def record_fact(delivery: Delivery) -> dict[str, str]:
    """Commit the document of the fact and answer where it is; the same commit again when it was there already."""
    if "document" not in delivery.fact.data:
        return {}
    try:
        entry = entry_of(delivery.fact)
    except (NotRecordable, BadDocument) as error:
        raise DeliveryRefused(str(error)) from error
    failpoint("before_audit_commit")
    recorded = AuditRepository.open().record(entry, done_until=_last_restored_commit)
    failpoint("after_audit_commit")
    return {"commit": recorded.commit, "blob": recorded.blob}


def _last_restored_commit() -> str | None:
    """The newest commit whose fact was restored by a rebuild, which numbers facts anew."""
    restored = Delivery.objects.filter(channel=CHANNEL, receipt__has_key="restored").order_by("-fact_id").first()
    return restored.receipt["commit"] if restored else None


def fact_recorded(fact: DomainEvent) -> None:
    """The commit is on record: its deployment may start, and the remote can have it."""
    wake_deployment(fact)
    if settings.AUDIT_REMOTE:
        ring("promotions.push_audit")
