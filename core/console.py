"""How pages differ from other faces: refusals become pages, an ended session never lands inside a part of a page."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.cache import patch_vary_headers

from core.errors import DomainError

_OTHER_FACES = ("/v1/", "/api/", "/admin/", "/apps/", "/webhooks/", "/static/", "/readyz", "/metrics")


class ConsoleMiddleware:
    """Turns refusals into pages, tells HTMX of an ended session, and keeps private pages out of shared caches."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if is_other_face(request):
            return response
        if is_partial(request) and leads_to_login(response):
            response = HttpResponse(status=204, headers={"HX-Trigger": "stagepass:signed-out"})
        response.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(response, ["HX-Request", "Cookie"])
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DomainError) or is_other_face(request):
            return None
        return refusal(request, exception)


def refusal(request: HttpRequest, error: DomainError) -> HttpResponse:
    """The page that says what happened and what to try."""
    template = "errors/refused_part.html" if is_partial(request) else "errors/refused.html"
    return render(request, template, {"error": error}, status=error.status)


def is_other_face(request: HttpRequest) -> bool:
    """Whether the address belongs to machines or to the admin, which have ways of their own."""
    return request.path.startswith(_OTHER_FACES)


def is_partial(request: HttpRequest) -> bool:
    """Whether HTMX asks for a part of a page, rather than a browser for the whole."""
    return request.headers.get("HX-Request") == "true"


def leads_to_login(response: HttpResponse) -> bool:
    return isinstance(response, HttpResponseRedirect) and urlsplit(response.url).path == resolve_url(settings.LOGIN_URL)


def go(request: HttpRequest, address: str) -> HttpResponse:
    """To another page of ours after a change: for HTMX by its header, for a browser by 303, so that Back is safe."""
    if is_partial(request):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    response = HttpResponseRedirect(address)
    response.status_code = 303
    return response
