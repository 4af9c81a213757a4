"""New ticket and edit: the form with preview, and drafts that outlive a session."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from accounts.pages import person_of
from accounts.roles import Capability
from core.console import go
from core.drafts import drop_draft, keep_and_sign_in, kept_draft
from core.errors import DomainError, InvalidInput, NotAllowed
from tickets import permissions, services
from tickets.forms import TicketForm, initial_of
from tickets.models import Ticket
from tickets.pages import board
from tickets.pages.addresses import address_of
from tickets.selectors import find_ticket, working_tenant
from tickets.types import Priority, TicketType

_FROM_LINK = ("tenant", "project", "title", "type", "parent", "labels", "plan")


@require_http_methods(["GET", "HEAD", "POST"])
def ticket_new(request: HttpRequest) -> HttpResponse:
    """The form of a new ticket; a POST opens it, a POST of `preview` only shows how its description will look."""
    if not request.user.is_authenticated:
        return keep_and_sign_in(request)
    user = person_of(request)
    if not board.may_somewhere(user, Capability.EDIT_TICKETS):
        raise NotAllowed(
            "Your roles do not include opening tickets. Ask a tenant admin for the DevOps role.", code="not_authorized"
        )
    if request.method != "POST":
        return _show(request, user, TicketForm(**_start(request, user), user=user))
    form = TicketForm(request.POST, user=user)
    form.is_valid()
    if "preview" in request.POST:
        form.errors.clear()
        return _show(request, user, form)
    try:
        _refuse_unread(form)
        ticket = _open(user, form)
    except DomainError as error:
        form.take(error)
        return _show(request, user, form, status=422)
    drop_draft(request)
    messages.success(request, f"{ticket.key} was opened.")
    return go(request, address_of(ticket, with_tenant=board.sees_many_tenants(user)))


@transaction.atomic
def _open(user: User, form: TicketForm) -> Ticket:
    """A project that is only made for the ticket is not left behind without it."""
    typed = form.cleaned_data
    tenant = working_tenant(user=user, tenant=typed["tenant"], capability=Capability.EDIT_TICKETS)
    project = services.ensure_project(key=typed["project"], by=user, tenant=tenant)
    return services.open_ticket(project=project, content=form.content(), by=user, key=typed["key"])


def _refuse_unread(form: TicketForm) -> None:
    """A date that could not be read must not pass as no date."""
    if "due_date" in form.errors:
        raise DomainError("Correct the date, or leave it empty.", field="-")


def _start(request: HttpRequest, user: User) -> dict[str, Any]:
    """What an empty form begins with: a draft that outlived its session, or what the link names."""
    kept = kept_draft(request, str(user.public_id))
    if kept:
        return {"initial": {name: kept.get(name, "") for name in TicketForm.base_fields} | {"restored": True}}
    named = {name: request.GET[name][:300] for name in _FROM_LINK if request.GET.get(name)}
    return {"initial": {"type": TicketType.TASK, "priority": int(Priority.MEDIUM), **named}}


@require_http_methods(["GET", "HEAD", "POST"])
def ticket_edit(request: HttpRequest, key: str, tenant: str = "") -> HttpResponse:
    """Change a ticket; whoever was slower than someone else is told, and keeps what they typed."""
    if not request.user.is_authenticated:
        return keep_and_sign_in(request)
    user = person_of(request)
    ticket = find_ticket(user=user, key=key, tenant=tenant)
    permissions.check_can_edit(user, ticket.tenant)
    extra: dict[str, Any] = {"ticket": ticket, "with_tenant": bool(tenant)}
    if request.method != "POST":
        kept = kept_draft(request, str(user.public_id))
        initial = initial_of(ticket)
        if kept:
            initial |= {name: kept.get(name, "") for name in TicketForm.base_fields} | {"restored": True}
        return _show(request, user, TicketForm(initial=initial, user=user), **extra)
    form = TicketForm(request.POST, user=user)
    form.is_valid()
    if "preview" in request.POST:
        form.errors.clear()
        return _show(request, user, form, **extra)
    try:
        _refuse_unread(form)
        _change(ticket, user, form)
    except DomainError as error:
        form.take(error)
        posted = request.POST.copy()
        posted["version"] = str(find_ticket(user=user, key=key, tenant=tenant).version)
        form.data = posted
        return _show(request, user, form, status=422, **extra)
    drop_draft(request)
    messages.success(request, f"{ticket.key} was changed.")
    return go(request, address_of(ticket, with_tenant=bool(tenant)))


def _change(ticket: Ticket, user: User, form: TicketForm) -> None:
    content, version = form.content(), form.cleaned_data["version"]
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise InvalidInput({"version": ["Load the page again: it does not say which state of the ticket you saw."]})
    services.edit_ticket(
        ticket=ticket,
        by=user,
        version=int(version),
        title=content.title,
        description=content.description,
        type=content.type,
        priority=content.priority,
        labels=content.labels,
        assignees=content.assignees,
        due_date=content.due_date or "",
        parent=content.parent,
        plan=content.plan,
    )


def _show(request: HttpRequest, user: User, form: TicketForm, *, status: int = 200, **extra: Any) -> HttpResponse:
    context = {
        "form": form,
        "notes": form["description"].value() or "",
        "draft_key": request.path,
        "restored": bool(not form.is_bound and form.initial.get("restored")),
        "projects": board.projects_to_filter_by(user),
        **extra,
    }
    return render(request, "tickets/form.html", context, status=status)


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """A description or a comment as it will look."""
    if not request.user.is_authenticated:
        return redirect_to_login(reverse("ticket_new"))
    said = request.POST.get("description") or request.POST.get("say-comment") or ""
    place = "comment-preview" if "say-comment" in request.POST else "notes-preview"
    return render(request, "tickets/preview.html", {"notes": said[:50_000], "place": place})
