"""Invented facts, so that the templates of mails can be looked at where nothing of their kind has happened yet."""

from __future__ import annotations

import uuid
from typing import Any

from accounts.models import Tenant, User
from core.clock import now
from events.models import DomainEvent
from events.notifiers.base import NoticeKind
from events.notifiers.digest import DIGEST

_DOCUMENT: dict[str, Any] = {
    "metadata": {"id": "PR-0000-0042", "tenant": "tenant-sample", "createdBy": "pierre.durand@example.com"},
    "spec": {
        "target": {
            "type": "api", "name": "payment-api", "version": "2.1.0", "sourceEnvironment": "staging",
            "targetEnvironment": "prod",
        },
        "request": {
            "justification": "New PCI-DSS compliant payment flow, asked for by the auditors.",
            "releaseNotes": "- Added 3DS2 authentication\n- Fixed timeout issues\n- Performance improvements",
            "impactAssessment": "low", "rollbackPlan": "Revert to v2.0.0 via emergency deploy", "scheduledDate": None,
        },
        "preChecks": {
            "stagingTestsPassed": True, "securityScanPassed": True, "performanceTestsPassed": True,
            "testEvidenceUrl": "https://ci.example.com/12345",
        },
    },
    "status": {"state": "pending", "approvedBy": "jean.dupont@example.com"},
}  # fmt: skip
# Whatever any kind of notice reads.
_DATA: dict[str, Any] = {
    "document": _DOCUMENT,
    "entry": {
        "comment": "Looks right to me.\nTell support before it starts.", "deploymentId": "deploy-abc123",
        "jobId": "job-5678", "error": "TASK [deploy] failed: image payment-api:2.1.0 not found",
    },
    "attempt": 2, "reminder": 2, "replaced_version": "2.0.0", "changed": ["version", "rollback_plan"],
    "key": "TICKET-0042", "title": "Charge a card twice at most", "due_date": "2026-03-10", "stage": "tester",
    "next_stage": "approval", "url": "https://ci.example.com/hook", "reason": "It answered 410 Gone.",
    "count": 3, "channels": {"email": 2, "webhooks:1": 1}, "name": "pipeline", "expires_at": "2026-03-17T09:00:00Z",
    "event": {"type": "incident", "priority": "P1", "service": "payment-api", "environment": "production"},
    "application": "shop", "ticket": "TICKET-0042", "days": 9, "facts": [], "since": "2026-03-01T09:00:00Z",
}  # fmt: skip


def sample_fact(kind: NoticeKind, user: User) -> DomainEvent:
    """A fact that calls for a notice of this kind; it is in no log. A digest is one of the newest facts the user sees."""
    data = _DATA
    if kind.name == DIGEST:
        newest = DomainEvent.objects.visible_to(user).order_by("-sequence").values_list("sequence", flat=True)
        data = _DATA | {"facts": list(newest[:40])}
    return DomainEvent(
        sequence=0,
        id=uuid.uuid4(),
        type=kind.fact,
        occurred_at=now(),
        tenant=Tenant(slug="tenant-sample", name="Sample"),
        subject_type="sample",
        subject_id=str(user.public_id) if kind.name == DIGEST else "SAMPLE-0042",
        subject_label="SAMPLE-0042 payment-api v2.1.0",
        actor_id=None,
        actor_label="pierre.durand@example.com",
        data=data,
    )
