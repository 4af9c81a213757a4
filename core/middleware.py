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
            self.note(request, response, time.perf_counter() - started)
        response.headers["X-Request-ID"] = request_id
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response

    def note(self, request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        route = request.resolver_match.route if request.resolver_match else "unknown"
        metrics.REQUEST_SECONDS.labels(request.method, route, response.status_code).observe(seconds)
        if not request.path.startswith(_QUIET):
            log.info(
                "request", method=request.method, path=request.path, status=response.status_code,
                milliseconds=round(seconds * 1000, 1),
            )  # fmt: skip
