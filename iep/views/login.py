"""The page where a person lets a program on their machine act for them."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.scopes import SCOPES
from core.errors import NotFound
from iep.services import logins


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def login(request: HttpRequest) -> HttpResponse:
    """Show which program asks for what; yes or no."""
    code = (request.POST if request.method == "POST" else request.GET).get("code", "").strip()[:20]
    context: dict[str, object] = {"code": code, "scopes": [SCOPES[scope] for scope in logins.SCOPES]}
    if code:
        try:
            context |= _decide(request, code) if request.method == "POST" else {"asked": logins.find_login(code)}
        except NotFound as refusal:
            context["problem"] = refusal.message
    return render(request, "iep/login.html", context)


def _decide(request: HttpRequest, code: str) -> dict[str, object]:
    allow = request.POST.get("decision") == "allow"
    decided = logins.decide_login(code=code, allow=allow, by=cast(User, request.user))
    return {"decided": decided, "allowed": allow}
