"""Endpoints that fail for days are switched off, with a fact that its owners are told of."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from accounts.roles import Capability
from core.clock import now
from events.models import WebhookEndpoint
from events.services import publish
from events.types import Audience, Subject

SUBJECT_TYPE = "webhook"
AUDIENCE = Audience(Capability.DECIDE_PROMOTION)


def subject_of(endpoint: WebhookEndpoint) -> Subject:
    return Subject(SUBJECT_TYPE, str(endpoint.pk), endpoint.name)


def note_success(endpoint: WebhookEndpoint) -> None:
    """It took something: whatever was wrong is over."""
    if endpoint.failing_since is not None:
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=None)


def note_failure(endpoint: WebhookEndpoint, reason: str) -> None:
    """Remember since when it fails; switch it off when that has been too long."""
    moment = now()
    if endpoint.failing_since is None:
        WebhookEndpoint.objects.filter(pk=endpoint.pk, failing_since=None).update(failing_since=moment)
    elif moment - endpoint.failing_since > settings.WEBHOOK_PATIENCE:
        days = (moment - endpoint.failing_since).total_seconds() / 86_400
        switch_off(endpoint, f"It has failed for {days:.1f} days. Last: {reason}")


@transaction.atomic
def switch_off(endpoint: WebhookEndpoint, reason: str) -> bool:
    """The system itself ends it, once; leaves `webhook.disabled`, which its owners are told of."""
    changed = WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at=None).update(
        disabled_at=now(), disabled_reason=reason
    )
    if changed:
        data = {"url": endpoint.url, "reason": reason}
        publish(
            type="webhook.disabled", subject=subject_of(endpoint), tenant=endpoint.tenant, by=None, data=data,
            audience=AUDIENCE,
        )  # fmt: skip
    return bool(changed)
