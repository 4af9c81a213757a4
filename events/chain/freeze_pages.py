"""Pages of freezes: which there are, declaring and lifting one; and whether a service may be deployed now, and why not."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Tenant, User
from accounts.pages import person_of
from accounts.roles import Capability
from accounts.selectors import grants_of, home_tenant, tenants_where
from core.clock import now
from core.console import go, is_partial
from core.errors import DomainError
from core.forms import DomainForm
from core.looks import Look
from events.chain import freezes
from events.chain.clearance import Answer, may_deploy
from events.chain.sight import visible_tenants
from events.models import Freeze
from events.tracker.pages.forms import known_services, moment_field

ANSWERS = {
    Answer.ALLOWED: Look("It may be deployed", "green", "circle-check"),
    Answer.AWAITING: Look("Not yet", "amber", "clock"),
    Answer.PREVENTED: Look("It may not be deployed", "red", "ban"),
}
ENVIRONMENTS = ("production", "preproduction", "staging", "testing", "integration", "development")
SHOWN_OVER = 20
_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class FreezeForm(DomainForm):
    """A freeze that is to be."""

    names = {name: name for name in ("service", "environment", "reason", "tenant")} | {
        "startsAt": "starts_at", "endsAt": "ends_at"
    }  # fmt: skip

    environment = forms.CharField(
        label="Environment", help_text="Empty: every one.",
        widget=forms.TextInput(attrs={**_PLAIN, "list": "known-environments"}),
    )  # fmt: skip
    service = forms.CharField(
        label="Service", help_text="Empty: every one.",
        widget=forms.TextInput(attrs={**_PLAIN, "list": "known-services"}),
    )  # fmt: skip
    starts_at = moment_field("From", "In UTC. Empty: from now on.")
    ends_at = moment_field("Until", "In UTC.")
    reason = forms.CharField(
        label="Reason", help_text="People who wait will read it: why, and whom to ask.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip
    tenant = forms.CharField(widget=forms.Select)

    def __init__(self, *args: Any, tenants: list[Tenant], home: Tenant | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenants = tenants
        self.fields["tenant"].widget.choices = [(one.slug, f"{one.name} ({one.slug})") for one in tenants]
        if home:
            self.initial.setdefault("tenant", home.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def freeze_list(request: HttpRequest) -> HttpResponse:
    """What is frozen or will be, and what was; a POST declares a freeze."""
    user = person_of(request)
    if request.method != "POST":
        part = is_partial(request) and request.GET.get("part") == "freezes"
        return render(request, "events/freezes.html#freezes" if part else "events/freezes.html", _page(user))
    form = _form(user, request.POST)
    if form is None:
        raise freezes.not_allowed()
    form.is_valid()
    try:
        freeze = _declare(form, user)
    except DomainError as error:
        form.take(error)
        return render(request, "events/freezes.html", _page(user, form), status=422)
    messages.success(request, f"{freeze.what} is frozen until {freeze.ends_at:%Y-%m-%d %H:%M} UTC.")
    return go(request, reverse("freezes"))


def _declare(form: FreezeForm, user: User) -> Freeze:
    if form.errors:
        raise DomainError("Correct what could not be read.", field="-")
    typed = form.cleaned_data
    tenant = next((one for one in form.tenants if one.slug == typed["tenant"]), None)
    if tenant is None:
        raise DomainError("Choose one of your tenants.", field="-")
    return freezes.declare_freeze(
        tenant=tenant, reason=typed["reason"], starts_at=typed["starts_at"], ends_at=typed["ends_at"],
        service=typed["service"], environment=typed["environment"], by=user,
    )  # fmt: skip


def _form(user: User, typed: Any = None) -> FreezeForm | None:
    """The form for those who decide on production somewhere."""
    tenants = list(tenants_where(user, Capability.DECIDE_PROMOTION).order_by("slug")[:300])
    return FreezeForm(typed, tenants=tenants, home=home_tenant(user, tenants)) if tenants else None


def _page(user: User, form: FreezeForm | None = None) -> dict[str, Any]:
    found, grants, moment = freezes.list_freezes(user, over=True), grants_of(user), now()
    standing = [one for one in found if one.lifted_at is None and one.ends_at > moment]
    rows = [
        (one, one.starts_at <= moment, grants.allow(Capability.DECIDE_PROMOTION, one.tenant_id))
        for one in sorted(standing, key=lambda one: one.starts_at)
    ]
    form = form or _form(user)
    return {
        "freezes": rows,
        "over": [one for one in found if one.lifted_at is not None or one.ends_at <= moment][:SHOWN_OVER],
        "form": form,
        "services": known_services([tenant.pk for tenant in form.tenants]) if form else [],
        "environments": ENVIRONMENTS,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def freeze_lift(request: HttpRequest, number: int) -> HttpResponse:
    """Asks once, then ends the freeze."""
    user = person_of(request)
    freeze = freezes.find_freeze(user, number)
    freezes.check_can_freeze(user, freeze.tenant)
    if request.method != "POST":
        return render(request, "events/freeze_lift.html", {"freeze": freeze})
    try:
        freezes.lift_freeze(freeze=freeze, by=user)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"{freeze.what} is no longer frozen.")
    return go(request, reverse("freezes"))


@require_safe
@login_required
def clearance_page(request: HttpRequest) -> HttpResponse:
    """May this service be deployed there now, and why not: what a pipeline is told, for people."""
    user = person_of(request)
    tenants = visible_tenants(user)
    asked = {name: request.GET.get(name, "").replace("\x00", "").strip()[:200]
             for name in ("service", "environment", "version", "tenant")}  # fmt: skip
    chosen = next((one for one in tenants if one.slug == asked["tenant"]), None) or home_tenant(user, tenants)
    clearance = None
    if chosen and asked["service"] and asked["environment"]:
        clearance = may_deploy(user, chosen, asked["service"], asked["environment"], asked["version"])
    context = {
        "asked": asked, "tenants": tenants, "chosen": chosen, "clearance": clearance, "environments": ENVIRONMENTS,
        "services": known_services([chosen.pk]) if chosen and clearance is None else [],
        "look": ANSWERS[clearance.answer] if clearance else None,
        "objections": [(one, ANSWERS[one.answer], *_remedy(one.code)) for one in clearance.objections] if clearance else [],
    }  # fmt: skip
    return render(request, "events/clearance.html", context)


REMEDIES = {
    "locked": ("event_locks", "Locks"), "frozen": ("freezes", "Freezes"), "incident_open": ("events", "Events")
}  # fmt: skip


def _remedy(code: str) -> tuple[str, str]:
    """The page on which something can be done about it, and its name."""
    name, label = REMEDIES.get(code, ("requests", "Requests"))
    return reverse(name), label
