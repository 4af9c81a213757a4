"""Where Slack calls: buttons, forms and commands. Checked over the raw bytes, noted, answered at once."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from events.slack.calls import KINDS, note_call
from events.slack.signatures import SIGNATURE_HEADER, TIME_HEADER, is_genuine

MAX_BODY = 256 * 1024


@csrf_exempt
@require_POST
def actions(request: HttpRequest) -> HttpResponse:
    """A pressed button or a sent form; 401 for what Slack did not sign, and the empty 200 that it waits for."""
    form = _read(request)
    if isinstance(form, HttpResponse):
        return form
    try:
        payload = json.loads(form.get("payload", ""))
    except (ValueError, RecursionError):
        return HttpResponse(status=400)
    kind = payload.get("type") if isinstance(payload, dict) else None
    if kind not in KINDS or not _has_shape(payload):
        return HttpResponse(status=200)  # such as a menu that was opened: nothing of ours
    note_call(signature=_signature(request), kind=kind, payload=payload)
    return HttpResponse(status=200)


@csrf_exempt
@require_POST
def commands(request: HttpRequest) -> HttpResponse:
    """`/stagepass …`; the answer comes from a worker, to the one who asked alone."""
    form = _read(request)
    if isinstance(form, HttpResponse):
        return form
    known = ("team_id", "user_id", "text", "response_url", "channel_id")
    payload = {name: form[name] for name in known if name in form}
    note_call(signature=_signature(request), kind="command", payload=payload)
    return JsonResponse({"response_type": "ephemeral", "text": "One moment."})


def _signature(request: HttpRequest) -> str:
    return request.headers.get(SIGNATURE_HEADER, "")[:80]


def _has_shape(payload: dict[str, Any]) -> bool:
    if payload["type"] == "block_actions":
        found = payload.get("actions")
        return isinstance(found, list) and bool(found) and isinstance(found[0], dict)
    return isinstance(payload.get("view"), dict)


def _read(request: HttpRequest) -> dict[str, str] | HttpResponse:
    """The form that Slack sent, once its signature over the raw bytes is checked."""
    body = request.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        return HttpResponse(status=413)
    timestamp, signature = request.headers.get(TIME_HEADER, ""), request.headers.get(SIGNATURE_HEADER, "")
    if not is_genuine(settings.SLACK_SIGNING_SECRETS, timestamp, signature, body, time.time()):
        return HttpResponse(status=401)
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=200))
    except (ValueError, UnicodeDecodeError):
        return HttpResponse(status=400)
