"""Tells webhook endpoints: Standard Webhooks, each endpoint a lane of its own, kept connections, no redirects."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from core.clock import now
from core.failpoints import failpoint
from events.endpoints.guard import Forbidden, Line, Unreachable
from events.endpoints.health import note_failure, note_success
from events.endpoints.secrets import sign, unseal
from events.models import Delivery, DomainEvent, WebhookEndpoint
from events.notifiers.envelope import CONTENT_TYPES, envelopes
from events.notifiers.filters import remembered, wants
from events.types import DeliveryFailed, DeliveryRefused

TEST_FACT = "webhook.tested"
LONGEST_WAIT = 24 * 3600.0


class WebhookNotifier:
    """Posts the fact to each endpoint of its tenant that wants it; the id tells a repetition."""

    def recipients(self, fact: DomainEvent) -> list[str]:
        if fact.type == TEST_FACT:
            return [fact.subject_id]
        if fact.tenant_id is None or not fact.audience_capability:
            return []
        endpoints = remembered(
            ("endpoints", fact.tenant_id),
            lambda: list(WebhookEndpoint.objects.filter(tenant=fact.tenant_id, disabled_at=None)),
        )
        return [str(endpoint.pk) for endpoint in endpoints if wants(endpoint, fact)]

    def names(self, recipients: Collection[str]) -> dict[str, str]:
        """How people know the endpoints: what they are called, and where they are."""
        found = WebhookEndpoint.objects.filter(pk__in=[pk for pk in recipients if pk.isdigit()])
        return {str(each.pk): f"{each.name} at {urlsplit(each.url).hostname}" for each in found}

    def send(self, delivery: Delivery) -> dict[str, Any]:
        with self.session() as send:
            return send(delivery)

    @contextmanager
    def session(self) -> Iterator[Callable[[Delivery], dict[str, Any]]]:
        """Keeps the connection to an endpoint for as long as there is something to tell it."""
        lines: dict[str, Line] = {}
        known: dict[str, WebhookEndpoint | None] = {}

        def send(delivery: Delivery) -> dict[str, Any]:
            place = delivery.recipient
            if place not in known:
                known[place] = WebhookEndpoint.objects.filter(pk=place).first()
            try:
                return _tell(delivery, known[place], lines)
            except DeliveryFailed:
                known.pop(place)  # whatever it has led to is read again
                raise

        try:
            yield send
        finally:
            for line in lines.values():
                line.close()


def _tell(delivery: Delivery, endpoint: WebhookEndpoint | None, lines: dict[str, Line]) -> dict[str, Any]:
    if endpoint is None:
        return {"skipped": "the endpoint was deleted"}
    if endpoint.disabled_at is not None:
        raise DeliveryRefused(f"The endpoint is switched off: {endpoint.disabled_reason}")
    messages = envelopes(delivery.fact, endpoint.form)
    if not messages:
        return {"skipped": "no CDEvent says this"}
    statuses = [_post(endpoint, message, lines) for message in messages]
    note_success(endpoint)
    endpoint.failing_since = None
    return {"status": statuses[-1]}


def _post(endpoint: WebhookEndpoint, message: dict[str, Any], lines: dict[str, Line]) -> int:
    body = json.dumps(message, ensure_ascii=False).encode()
    try:
        line = lines.get(endpoint.url)
        if line is None or not line.is_open:
            line = lines[endpoint.url] = Line(endpoint.url)
        status, retry_after, _ = line.post(body, headers_of(endpoint, str(message["id"]), body))
    except Forbidden as error:
        raise DeliveryRefused(str(error)) from error
    except Unreachable as error:
        note_failure(endpoint, str(error))
        raise DeliveryFailed(str(error), channel_down=True) from error
    failpoint("after_webhook_answer")
    _judge(endpoint, status, retry_after)
    return status


def headers_of(endpoint: WebhookEndpoint, message_id: str, body: bytes) -> dict[str, str]:
    """Signed by the secret, and for a day after a rotation by the earlier one too."""
    moment = now()
    secrets = [endpoint.secret]
    if endpoint.old_secret and endpoint.old_secret_until and endpoint.old_secret_until > moment:
        secrets.append(endpoint.old_secret)
    timestamp = int(moment.timestamp())
    signatures = [sign(secret, message_id, timestamp, body) for sealed in secrets if (secret := unseal(sealed))]
    if not signatures:
        raise DeliveryRefused("Its secret cannot be read any more: rotate it, then try again.")
    return {
        "Content-Type": CONTENT_TYPES.get(endpoint.form, "application/json"),
        "User-Agent": f"Stagepass ({settings.SITE_URL})",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _judge(endpoint: WebhookEndpoint, status: int, retry_after: str) -> None:
    """Raise unless it was taken: 410 ends the endpoint, 429 and 5xx let it rest, anything else concerns this one alone."""
    if 200 <= status < 300:
        return
    if status == 410:
        note_failure(endpoint, "It answered 410 Gone: nobody wants these any more.", gone=True)
        raise DeliveryRefused("It answered 410 Gone.")
    note_failure(endpoint, f"It answered {status}.")
    told = " Redirects are not followed: give the final address." if 300 <= status < 400 else ""
    busy = status in {429, 502, 503, 504} or status >= 500
    wait = read_wait(retry_after) if busy else None
    raise DeliveryFailed(f"It answered {status}.{told}", wait, channel_down=busy)


def read_wait(retry_after: str) -> float | None:
    """Seconds of a Retry-After, at most a day; None for none that can be read."""
    from email.utils import parsedate_to_datetime

    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return min(max((moment - now()).total_seconds(), 0.0), LONGEST_WAIT)
