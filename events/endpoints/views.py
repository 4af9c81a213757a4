"""Pages of webhooks: the list with what each hears, a new one whose secret is shown once, and the verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from accounts.pages import person_of
from core.console import go
from core.errors import DomainError, NotFound
from events import deliveries
from events.endpoints import services
from events.endpoints.forms import EndpointForm, initial_of
from events.models import ChannelHealth, WebhookEndpoint


@never_cache
@require_safe
@login_required
def webhook_list(request: HttpRequest) -> HttpResponse:
    """The endpoints of this person's tenants, and a form for a new one."""
    return _show(request, person_of(request))


@never_cache
@require_POST
@login_required
def webhook_create(request: HttpRequest) -> HttpResponse:
    """A new endpoint; its secret is on this page only and cannot be shown again."""
    user = person_of(request)
    form = EndpointForm(request.POST, user=user)
    if form.is_valid():
        tenant = form.tenants.get(form.cleaned_data["tenant"])
        if tenant is None:
            raise NotFound("There is no such tenant that you administer.")
        try:
            endpoint, secret = services.create_endpoint(tenant=tenant, **form.content, by=user)
            return _show(request, user, fresh=endpoint, secret=secret)
        except DomainError as error:
            form.take(error)
    return _show(request, user, form=form, status=422)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def webhook_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """What it is called, where it is, what it hears."""
    user = person_of(request)
    endpoint = services.managed_endpoint(user, pk)
    form = EndpointForm(request.POST or None, user=user, initial=initial_of(endpoint))
    if request.method == "POST" and form.is_valid():
        try:
            services.change_endpoint(endpoint=endpoint, changes=form.content, by=user)
            messages.success(request, f"{endpoint.name} was changed.")
            return go(request, reverse("webhooks"))
        except DomainError as error:
            form.take(error)
    context = {"form": form, "endpoint": endpoint}
    return render(request, "webhooks/edit.html", context, status=422 if form.errors else 200)


VERBS: dict[str, tuple[Callable[..., Any], str]] = {
    "test": (services.send_test, "{} is sent a test now; see its deliveries."),
    "enable": (services.enable_endpoint, "{} hears again from now on."),
    "disable": (services.disable_endpoint, "{} hears nothing until it is switched on again."),
    "delete": (services.delete_endpoint, "{} was deleted."),
}


@never_cache
@require_POST
@login_required
def webhook_verb(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Test, switch on or off, rotate the secret, delete."""
    user = person_of(request)
    endpoint = services.managed_endpoint(user, pk)
    if verb == "rotate":
        secret = services.rotate_secret(endpoint=endpoint, by=user)
        return _show(request, user, fresh=endpoint, secret=secret)
    if verb not in VERBS:
        raise NotFound("There is nothing here.")
    run, said = VERBS[verb]
    run(endpoint=endpoint, by=user)
    messages.success(request, said.format(endpoint.name))
    return go(request, reverse("webhooks"))


def _show(request: HttpRequest, user: User, *, status: int = 200, **extra: Any) -> HttpResponse:
    if not deliveries.may_see_any(user):
        raise NotFound("Webhooks are for those who administer a tenant.")
    endpoints: list[WebhookEndpoint] = list(services.managed_endpoints(user)[:200])
    names = {f"webhooks:{endpoint.pk}": endpoint.pk for endpoint in endpoints}
    health = {names[row.channel]: row for row in ChannelHealth.objects.filter(channel__in=names, failures__gt=0)}
    context = {
        "rows": [(endpoint, health.get(endpoint.pk)) for endpoint in endpoints],
        "form": EndpointForm(user=user),
        **extra,
    }
    return render(request, "webhooks/list.html", context, status=status)
