"""One ticket: read it, comment, and what hangs together with it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.pages import person_of
from core.console import go, is_partial
from core.errors import Conflict, DomainError
from core.forms import plain_lines
from tickets import permissions, services
from tickets.forms import CommentForm, DependencyForm, LinkForm
from tickets.models import Ticket
from tickets.pages import dossier
from tickets.pages.addresses import address_of
from tickets.selectors import find_ticket
from tickets.views.verbs import dialog_for


@require_safe
@login_required
def ticket_detail(request: HttpRequest, key: str, tenant: str = "") -> HttpResponse:
    """The whole page, or for HTMX the part of it that changes; a choice when several tenants have the key."""
    user = person_of(request)
    try:
        ticket = find_ticket(user=user, key=key, tenant=tenant)
    except Conflict:
        context = {"key": key, "several": dossier.other_tickets(user, key), "with_tenant": True}
        return render(request, "tickets/several.html", context, status=300)
    part = request.GET.get("part", "") if is_partial(request) else ""
    template = "tickets/detail.html#live" if part == "live" else "tickets/detail.html"
    return render(request, template, detail_context(user, ticket, with_tenant=bool(tenant)))


def detail_context(user: User, ticket: Ticket, *, with_tenant: bool) -> dict[str, Any]:
    """Everything the page of a ticket shows to `user`."""
    task = dossier.open_task_of(ticket)
    actions = dossier.actions_for(user, ticket, task)
    related = dossier.related_to(user, ticket)
    return {
        "ticket": ticket,
        "with_tenant": with_tenant,
        "task": task,
        "actions": actions,
        "dialogs": [dialog_for(ticket, action.verb) for action in actions if not action.reason],
        "steps": dossier.steps_of(ticket, task),
        "obstacles": dossier.obstacles_of(user, ticket, task),
        "assignees": list(ticket.assignees.all()),
        "comments": dossier.said_about(ticket),
        "family": dossier.family_of(ticket),
        "links": [link for link in ticket.links.all() if link.url not in {one.address for one in related}],
        "related": related,
        "timeline": dossier.timeline_of(user, ticket),
        "reason_against_edit": permissions.reason_against(permissions.check_can_edit, user, ticket.tenant),
        "reason_against_comment": permissions.reason_against(permissions.check_can_comment, user, ticket.tenant),
        "comment_form": CommentForm(prefix="say"),
        "dependency_form": DependencyForm(prefix="wait"),
        "link_form": LinkForm(prefix="link"),
    }


@require_POST
@login_required
def ticket_comment(request: HttpRequest, key: str, tenant: str = "") -> HttpResponse:
    """Put a comment on the record; with `preview`, only show how it will look."""
    user = person_of(request)
    ticket = find_ticket(user=user, key=key, tenant=tenant)
    form = CommentForm(request.POST, prefix="say")
    form.is_valid()
    said = plain_lines(form.cleaned_data["comment"])
    if "preview" in request.POST:
        context = {"comment_form": form, "preview": said[:50_000]}
        return render(request, "tickets/detail.html", detail_context(user, ticket, with_tenant=bool(tenant)) | context)
    try:
        services.comment_on_ticket(ticket=ticket, by=user, content=said)
    except DomainError as error:
        form.take(error)
        return _again(request, ticket, tenant, {"comment_form": form})
    return go(request, address_of(ticket, with_tenant=bool(tenant)) + "#comments")


@require_POST
@login_required
def ticket_dependency(request: HttpRequest, key: str, tenant: str = "") -> HttpResponse:
    """The ticket waits for another, or with `remove` no longer."""
    user = person_of(request)
    ticket = find_ticket(user=user, key=key, tenant=tenant)
    form = DependencyForm(request.POST, prefix="wait")
    form.is_valid()
    try:
        blocker = find_ticket(user=user, key=form.cleaned_data["blocker"], tenant=ticket.tenant.slug)
        if "remove" in request.POST:
            services.remove_dependency(ticket=ticket, blocker=blocker, by=user)
        else:
            services.add_dependency(ticket=ticket, blocker=blocker, by=user)
    except DomainError as error:
        form.take(error)
        return _again(request, ticket, tenant, {"dependency_form": form})
    return go(request, address_of(ticket, with_tenant=bool(tenant)) + "#together")


@require_POST
@login_required
def ticket_link(request: HttpRequest, key: str, tenant: str = "") -> HttpResponse:
    """Where else the ticket is spoken of; with `remove`, that link is taken away."""
    user = person_of(request)
    ticket = find_ticket(user=user, key=key, tenant=tenant)
    form = LinkForm(request.POST, prefix="link")
    form.is_valid()
    typed, remove = form.cleaned_data, request.POST.get("remove", "")
    try:
        if remove.isascii() and remove.isdigit() and len(remove) < 19:
            services.unlink_ticket(ticket=ticket, link=int(remove), by=user)
            messages.success(request, "The link was removed.")
        else:
            services.link_ticket(ticket=ticket, url=typed["url"], by=user, kind=typed["kind"], title=typed["title"])
    except DomainError as error:
        form.take(error)
        return _again(request, ticket, tenant, {"link_form": form})
    return go(request, address_of(ticket, with_tenant=bool(tenant)) + "#together")


def _again(request: HttpRequest, ticket: Ticket, tenant: str, forms: dict[str, Any]) -> HttpResponse:
    """The page once more, with what was typed and why it was not taken."""
    context = detail_context(person_of(request), ticket, with_tenant=bool(tenant)) | forms
    return render(request, "tickets/detail.html", context, status=422)
