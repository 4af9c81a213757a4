"""Refusals as Tracker's REST clients read them: {code, message, details} with gRPC's codes and HTTP's."""

from __future__ import annotations

import structlog
from django.http import JsonResponse

from core.errors import DomainError
from events.tracker.refusals import INTERNAL, code_of, details_of

log = structlog.get_logger(__name__)


def respond_error(error: DomainError) -> JsonResponse:
    body = {"code": code_of(error), "message": error.message, "details": details_of(error)}
    response = JsonResponse(body, status=error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="stagepass"'
    if error.status == 503:
        response.headers["Retry-After"] = "5"
    return response


def respond_fault(error: Exception) -> JsonResponse:
    """A fault of ours: logged in full, told in general."""
    log.error("tracker.fault", exc_info=error)
    return JsonResponse({"code": INTERNAL, "message": "internal error; it was logged", "details": []}, status=500)
