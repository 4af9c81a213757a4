"""Callbacks from outside: AWX tells that a job has started or ended. Never believed, only a reason to look."""

from __future__ import annotations

import hmac
import json
import uuid
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from core.failpoints import failpoint
from promotions.services.callbacks import report_job

log = structlog.get_logger(__name__)

SECRET_HEADER = "X-Stagepass-Secret"  # noqa: S105 (the header's name)
MAX_BODY = 64 * 1024
MAX_TEXT = 100


@csrf_exempt
@require_POST
def awx_job_complete(request: HttpRequest) -> HttpResponse:
    """AWX's notification in its own body, or `{job_id, status, extra_vars, result_stdout}`; the answer tells nothing.

    401 without a valid secret, 413 and 400 for what cannot be one of these bodies, else 202.
    """
    if not _is_trusted(request.headers.get(SECRET_HEADER, "")):
        return HttpResponse(status=401)
    content = request.read(MAX_BODY + 1)
    if len(content) > MAX_BODY:
        return HttpResponse(status=413)
    body = _as_object(content)
    if body is None:
        return HttpResponse(status=400)
    failpoint("before_callback_noted")
    variables = _as_object(body.get("extra_vars")) or {}
    known = report_job(
        nonce=_as_nonce(variables.get("nonce")),
        request_id=_as_text(variables.get("request_id")),
        job_id=_as_text(body.get("job_id", body.get("id"))),
    )
    log.info("awx.callback", job=_as_text(body.get("job_id", body.get("id"))), runs=known)
    return HttpResponse(status=202)


def _is_trusted(given: str) -> bool:
    """Whether it is one of the configured secrets; each is compared, so that time tells nothing."""
    matches = [
        hmac.compare_digest(given.encode(), secret.encode()) for secret in settings.AWX_WEBHOOK_SECRETS if secret
    ]
    return any(matches)


def _as_object(value: Any) -> dict[str, Any] | None:
    """A JSON object, or the text of one as AWX writes its extra_vars."""
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _as_nonce(value: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _as_text(value: Any) -> str:
    """A short plain text or number; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value) if isinstance(value, str) or abs(value) < 10**18 else ""
    return text if len(text) <= MAX_TEXT and text.isprintable() else ""
