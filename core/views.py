"""Pages of no app: the theme switch, the design system, and what is shown when something went wrong."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from core.console import go, is_partial
from core.design import examples

THEMES = {"light", "dark", "system"}
A_YEAR = 31_536_000


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Remember light, dark or the system's own in this browser."""
    chosen = request.POST.get("theme", "")
    response = go(request, local_address(request, request.POST.get("next", "")))
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=A_YEAR, samesite="Lax", secure=request.is_secure())
    return response


def local_address(request: HttpRequest, wanted: str) -> str:
    """`wanted` if it leads to a page of ours, else the overview."""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else "/"


def design(request: HttpRequest) -> HttpResponse:
    """Every component in every state; in the demo and for developers only."""
    if not getattr(settings, "DEMO", False):
        raise Http404
    return render(request, "design.html", examples())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form came with a mark that no longer holds, mostly after logging in or out in another tab."""
    if is_partial(request):
        return HttpResponse(status=204, headers={"HX-Trigger": "stagepass:signed-out"})
    context = {"reason": reason, "login": reverse(settings.LOGIN_URL), "back": request.path}
    return render(request, "errors/expired.html", context, status=403)
