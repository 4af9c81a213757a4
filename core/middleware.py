"""Middleware: each request has an id and a face, in its log lines, its facts and its answer."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from core import metrics
from core.context import acting_through, id_of_request

log = structlog.get_logger(__name__)

_FACES = {"/v1/": "rest", "/api/": "rest", "/admin/": "admin", "/webhooks/": "webhook"}
_QUIET = ("/readyz", "/metrics", "/static/")


class NoContentMiddleware:
    """Tells browsers that an answer for programs has nothing they may load or frame."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        return response


class RequestContextMiddleware:
    """Takes over a caller's X-Request-ID if it is a plain token, else makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = id_of_request(request.headers.get("X-Request-ID", ""))
        face = next((face for prefix, face in _FACES.items() if request.path.startswith(prefix)), "page")
        started = time.perf_counter()
        with acting_through(face, request_id):
            response = self.get_response(request)
            route = request.resolver_match.route if request.resolver_match else "unknown"
            note_request(request.method or "", request.path, route, response.status_code, time.perf_counter() - started)
        response.headers["X-Request-ID"] = request_id
        return response


class PermissionsPolicyMiddleware:
    """Nothing of ours needs a camera, a microphone or to know where someone is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response


def note_request(method: str, path: str, route: str, status: int, seconds: float) -> None:
    """Count the request, and write its line in the log."""
    metrics.REQUEST_SECONDS.labels(method, route, status).observe(seconds)
    if not path.startswith(_QUIET):
        log.info("request", method=method, path=path, status=status, milliseconds=round(seconds * 1000, 1))
