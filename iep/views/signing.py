"""The page of build servers: whose keys an application trusts, and what was signed with them last."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from accounts.pages import person_of
from core.console import go
from core.errors import DomainError, InvalidInput
from iep import permissions, selectors, services
from iep.forms import KeyForm
from iep.models import Application

SHOWN_MANIFESTS = 50


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def signatures(request: HttpRequest, app: str) -> HttpResponse:
    """Keys and manifests; POST adds a key, and a refusal keeps what was typed."""
    user = person_of(request)
    application = selectors.find_application(user, app)
    if request.method != "POST":
        return _page(request, user, application, {"form": KeyForm()})
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _page(request, user, application, {"form": form}, status=422)
    try:
        key = services.add_signing_key(application=application, by=user, **form.cleaned_data)
    except InvalidInput as refusal:
        for field, sentences in refusal.errors.items():
            form.add_error(field, sentences)
        return _page(request, user, application, {"form": form}, status=422)
    except DomainError as refusal:
        return _page(request, user, application, {"form": form, "refusal": refusal}, status=refusal.status)
    messages.success(request, f"What {key.name} signs is trusted.")
    return go(request, address_of(application))


@require_POST
@login_required
def revoke_key(request: HttpRequest, app: str, key: str) -> HttpResponse:
    """Trust a key no more."""
    user = person_of(request)
    found = selectors.find_signing_key(selectors.find_application(user, app), int(key))
    services.revoke_signing_key(key=found, by=user)
    messages.success(request, f"What {found.name} signed is trusted no more.")
    return go(request, address_of(found.application))


def address_of(application: Application) -> str:
    return reverse("iep_signatures", args=[application.slug])


def _page(
    request: HttpRequest, user: User, application: Application, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    shown = {
        "application": application,
        "keys": selectors.list_signing_keys(application),
        "manifests": selectors.list_signed_manifests(application)[:SHOWN_MANIFESTS],
        "reason": permissions.reason_against(permissions.check_can_release, user, application),
    }
    return render(request, "iep/signatures.html", shown | context, status=status)
