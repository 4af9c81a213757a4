"""How endpoints fare, as their deliveries find out; who fails for too long is switched off by a sweep."""

from __future__ import annotations

from core.clock import now
from events.models import WebhookEndpoint


def note_success(endpoint: WebhookEndpoint) -> None:
    """It took something: whatever was wrong is over."""
    if endpoint.failing_since is not None:
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=None, failure="", gone=False)


def note_failure(endpoint: WebhookEndpoint, reason: str, *, gone: bool = False) -> None:
    """Remember since when it fails, and how; `gone` says that it told so itself."""
    since = endpoint.failing_since or now()
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        failing_since=since, failure=reason, gone=endpoint.gone or gone
    )
