"""Errors of the REST faces as application/problem+json (RFC 9457), each naming the field and the remedy."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from core.errors import DomainError, InvalidInput, NotAllowed, NotFound, Unavailable

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"


def problem(error: DomainError) -> dict[str, Any]:
    """The members of a problem: type, title, status, code, detail; `field`, `errors`, and details where there are any."""
    body: dict[str, Any] = {
        "type": f"urn:stagepass:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.message,
    }
    if error.field:
        body["field"] = error.field
    if isinstance(error, InvalidInput):
        body["errors"] = [
            {"field": field, "message": message} for field, messages in error.errors.items() for message in messages
        ]
    return {**error.details, **body}


def problem_response(error: DomainError, headers: dict[str, str] | None = None) -> Response:
    return Response(problem(error), status=error.status, headers=headers, content_type=CONTENT_TYPE)


FOR_MACHINES = ("/v1/", "/api/", "/webhooks/")


@csrf_exempt
def nothing_here(request: HttpRequest, **rest: str) -> JsonResponse:
    """404 for an address of the API that does not exist."""
    return _plain(NotFound("There is nothing at this address. /api/docs/ lists what there is."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400, before any view was asked; as a problem where machines call."""
    if not request.path.startswith(FOR_MACHINES):
        return defaults.bad_request(request, exception)
    return _plain(DomainError("This request cannot be read. Check its host, length and encoding."))


def server_error(request: HttpRequest) -> HttpResponse:
    """An error of ours; as a problem where machines call, without a word of what went wrong inside."""
    if not request.path.startswith(FOR_MACHINES):
        return defaults.server_error(request)
    error = DomainError(
        "An error of ours. It is on record; try again, or tell us the X-Request-ID.", code="server_error"
    )
    error.status, error.title = 500, "Internal Server Error"
    return _plain(error)


def _plain(error: DomainError) -> JsonResponse:
    return JsonResponse(problem(error), status=error.status, content_type=CONTENT_TYPE)


def handle_exception(exception: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler: everything a caller can act on becomes a problem; the rest is a logged 500."""
    set_rollback()
    error, headers = _as_domain_error(exception)
    if error is None:
        return None
    return problem_response(error, headers)


def _as_domain_error(exception: Exception) -> tuple[DomainError | None, dict[str, str]]:
    if isinstance(exception, DomainError):
        return exception, {"Retry-After": "5"} if exception.status == 503 else {}
    if isinstance(exception, Http404):
        return NotFound("There is nothing at this address that you may see."), {}
    if isinstance(exception, PermissionDenied):
        return NotAllowed(str(exception) or "You may not do this."), {}
    if isinstance(exception, exceptions.ValidationError):
        return InvalidInput(flatten(exception.detail)), {}
    if isinstance(exception, exceptions.APIException):
        return _from_framework(exception)
    if isinstance(exception, OperationalError):
        log.warning("database.unavailable", error=str(exception))
        return Unavailable("The database does not answer. Try again in a few seconds."), {"Retry-After": "5"}
    return None, {}


def _from_framework(exception: exceptions.APIException) -> tuple[DomainError, dict[str, str]]:
    error = DomainError(_sentence(exception), code=str(exception.get_codes()))
    error.status = exception.status_code
    error.title = HTTPStatus(exception.status_code).phrase
    headers = {}
    if header := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(exception, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    return error, headers


def _sentence(exception: exceptions.APIException) -> str:
    """What REST framework says, with the remedy where it names none."""
    if isinstance(exception, exceptions.NotAuthenticated):
        return "Log in, or send a token: Authorization: Bearer sp_…"
    if isinstance(exception, exceptions.MethodNotAllowed):
        return f"{exception.detail} The header Allow names those that work here."
    if isinstance(exception, exceptions.UnsupportedMediaType):
        return "Send the body as JSON, with Content-Type: application/json."
    return str(exception.detail)


def _path(prefix: str, name: str | int) -> str:
    if name == "non_field_errors":
        return prefix
    return f"{prefix}[{name}]" if isinstance(name, int) else f"{prefix}.{name}".lstrip(".")


def flatten(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """Nested serializer errors as {dotted field: sentences}."""
    if isinstance(detail, dict):
        flat: dict[str, list[str]] = {}
        for name, inner in detail.items():
            inner_prefix = _path(prefix, name)
            flat |= flatten(inner, inner_prefix)
        return flat
    if isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        flat = {}
        for index, item in enumerate(detail):
            if item:
                flat |= flatten(item, f"{prefix}[{index}]")
        return flat
    return {prefix: [str(item) for item in detail] if isinstance(detail, list) else [str(detail)]}
