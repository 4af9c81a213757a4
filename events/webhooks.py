"""Webhooks in: a signed delivery of GitHub, GitLab or Jira is kept and answered at once; the work comes later."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from events.cdevents.webhooks.deliveries import keep_delivery
from events.cdevents.webhooks.secrets import is_signed
from events.models import EventSource

log = structlog.get_logger(__name__)

MAX_BODY = 5 * 1024 * 1024
FORM = "application/x-www-form-urlencoded"


@csrf_exempt
@require_POST
def webhook(request: HttpRequest, kind: str, key: uuid.UUID) -> HttpResponse:
    """202 for a delivery that is new, 200 for one that was here before.

    404 for an address that is none (any more), 413 and 400 for what cannot be a delivery, 401 without a good signature.
    """
    source = EventSource.objects.filter(kind=kind, key=key, active=True).first()
    if source is None:
        return HttpResponse(status=404)
    content = request.read(MAX_BODY + 1)
    if len(content) > MAX_BODY:
        return HttpResponse(status=413)
    if not is_signed(source, request.headers, content):
        log.warning("webhook.refused", source=source.pk)
        return HttpResponse(status=401)
    body = _payload(request.content_type or "", content)
    if not body:
        return HttpResponse(status=400)
    kept = keep_delivery(source=source, headers=request.headers, body=body)
    return JsonResponse({"status": "queued" if kept else "seen before"}, status=202 if kept else 200)


def _payload(content_type: str, content: bytes) -> str:
    """The payload's text: the body itself, or the field `payload` of a form, as GitHub sends unless told otherwise."""
    try:
        text = content.decode("utf-8")
        if content_type == FORM:
            return next(iter(parse_qs(text, max_num_fields=10, errors="strict").get("payload", [""])))
    except (UnicodeDecodeError, ValueError):
        return ""
    return text.strip()
