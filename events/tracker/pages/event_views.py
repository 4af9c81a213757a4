"""One event: its page, and the forms to record, change and end one and to say something about it."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Tenant, User
from accounts.pages import person_of
from accounts.roles import Capability
from core.console import go, is_partial
from core.drafts import drop_draft, keep_and_sign_in, kept_draft
from core.errors import Conflict, DomainError, InvalidInput, NotAllowed, StaleState
from core.forms import plain_lines
from events.models import Event
from events.tracker import records
from events.tracker.pages import dossier
from events.tracker.pages.forms import (
    FIRST_STATUS,
    FROM_LINK,
    KINDS,
    CommentForm,
    EventForm,
    StepForm,
    initial_of,
    known_services,
    read_seen,
)
from events.tracker.rights import check_can_record, open_tenants
from events.tracker.vocabulary import Environment, Type


@require_safe
@login_required
def event_detail(request: HttpRequest, key: uuid.UUID) -> HttpResponse:
    """The whole page, or for HTMX the part of it that changes."""
    user = person_of(request)
    event = records.find_event(user, key, joined=("tenant", "related"))
    part = is_partial(request) and request.GET.get("part") == "live"
    return render(request, "events/detail.html#live" if part else "events/detail.html", _context(user, event))


def _context(user: User, event: Event) -> dict[str, Any]:
    entries, hidden = dossier.changelog_of(event)
    may_record = dossier.may_record(user, event.tenant_id)
    return {
        "event": event,
        "event_id": str(event.pk),
        "entries": entries,
        "hidden": hidden,
        "kin": dossier.kin_of(event),
        "related": dossier.related_to(user, event),
        "locks": dossier.locks_of(event),
        "link": dossier.link_of(event),
        "may_record": may_record,
        "steps": dossier.steps_of(event) if may_record else (),
        "comment_form": CommentForm(prefix="say"),
    }


@require_http_methods(["GET", "HEAD", "POST"])
def event_new(request: HttpRequest) -> HttpResponse:
    """The form of a new event; a POST records it."""
    if not request.user.is_authenticated:
        return keep_and_sign_in(request)
    user = person_of(request)
    if not dossier.may_record_somewhere(user):
        raise NotAllowed("Your roles do not include recording events. Ask a tenant admin for the DevOps role.")
    if request.method != "POST":
        return _show(request, user, EventForm(initial=_start(request, user), user=user))
    form = EventForm(request.POST, user=user)
    form.is_valid()
    try:
        _refuse_unread(form)
        event = records.record_event(
            tenant=tenant_to_record_into(user, form.cleaned_data["tenant"]),
            content=form.content() | {"source": "console"},
            by=user,
        )
    except DomainError as error:
        form.take(error)
        return _show(request, user, form, status=422)
    drop_draft(request)
    messages.success(request, f"“{event.title[:80]}” was recorded.")
    return go(request, reverse("event", args=[event.pk]))


def tenant_to_record_into(user: User, slug: str) -> Tenant:
    """The tenant to record into; what it may be is known from the form, who may do it is for the verb to say."""
    tenants = Tenant.objects.filter(pk__in=open_tenants(user, Capability.RECORD_EVENTS))
    tenant = tenants.filter(slug=slug).first() if slug and "\x00" not in slug else None
    if tenant is None:
        raise InvalidInput({"tenant": ["Choose one of your tenants."]})
    return tenant


def _start(request: HttpRequest, user: User) -> dict[str, Any]:
    """What an empty form begins with: a draft that outlived its session, or what the link names."""
    kept = kept_draft(request, str(user.public_id))
    if kept:
        return {name: kept.get(name, "") for name in EventForm.base_fields} | {"restored": True}
    named: dict[str, Any] = {name: request.GET[name][:500] for name in FROM_LINK if request.GET.get(name)}
    kind = KINDS.get(request.GET.get("type", ""), KINDS[Type.incident.name])
    environment = Environment.__members__.get(request.GET.get("environment", ""), Environment.production)
    status = FIRST_STATUS.get(Type(int(kind)), 0)
    return {"type": kind, "environment": int(environment), "status": int(status), "priority": 0, "impact": 0, **named}


@require_http_methods(["GET", "HEAD", "POST"])
def event_edit(request: HttpRequest, key: uuid.UUID) -> HttpResponse:
    """Change an event; whoever was slower than someone else is told, and keeps what they typed."""
    if not request.user.is_authenticated:
        return keep_and_sign_in(request)
    user = person_of(request)
    event = records.find_event(user, key)
    check_can_record(user, event.tenant_id)
    if request.method != "POST":
        initial = initial_of(event)
        if kept := kept_draft(request, str(user.public_id)):
            initial |= {name: kept.get(name, "") for name in EventForm.base_fields} | {"restored": True}
        return _show(request, user, EventForm(initial=initial, user=user, event=event), event=event)
    form = EventForm(request.POST, user=user, event=event)
    form.is_valid()
    try:
        _refuse_unread(form)
        seen = read_seen(form.cleaned_data["seen"])
        records.update_event(event=event, content=form.content(), by=user, seen=seen)
    except DomainError as error:
        form.take(error)
        if isinstance(error, StaleState):
            posted = request.POST.copy()
            posted["seen"] = records.find_event(user, key).updated_at.isoformat()
            form.data = posted
        return _show(request, user, form, status=422, event=event)
    drop_draft(request)
    messages.success(request, "The event was changed.")
    return go(request, reverse("event", args=[event.pk]))


def _refuse_unread(form: EventForm) -> None:
    """What could not be read must not pass as empty; impossible choices are for the domain to refuse."""
    for name in form.CHOICES:
        form.errors.pop(name, None)
    if form.errors:
        raise DomainError("Correct what could not be read, or leave it empty.", field="-")


def _show(
    request: HttpRequest, user: User, form: EventForm, *, status: int = 200, event: Event | None = None
) -> HttpResponse:
    context = {
        "form": form,
        "event": event,
        "draft_key": request.path,
        "restored": bool(not form.is_bound and form.initial.get("restored")),
        "services": known_services([event.tenant_id] if event else [tenant.pk for tenant in form.tenants]),
    }
    return render(request, "events/form.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def event_step(request: HttpRequest, key: uuid.UUID, verb: str) -> HttpResponse:
    """End an event, or open it again: asked once, then done by one service."""
    user = person_of(request)
    event = records.find_event(user, key)
    step = dossier.STEPS.get(verb)
    if step is None:
        raise Http404
    check_can_record(user, event.tenant_id)
    form = StepForm(request.POST or None, initial={"seen": event.updated_at.isoformat()})
    context = {"event": event, "step": step, "form": form, "possible": step in dossier.steps_of(event)}
    if request.method != "POST":
        return render(request, "events/step.html", context)
    form.is_valid()
    typed = form.cleaned_data
    try:
        if not context["possible"]:
            raise Conflict("This event cannot go there any more. Look at what it says now.", code="wrong_state")
        records.finish_event(
            event=event,
            status=step.status,
            by=user,
            comment=plain_lines(typed["comment"]),
            seen=read_seen(typed["seen"]),
        )
    except DomainError as error:
        form.take(error)
        return render(request, "events/step.html", context, status=422)
    messages.success(request, f"“{event.title[:80]}” is {step.said}.")
    return go(request, reverse("event", args=[event.pk]))


@require_POST
@login_required
def event_comment(request: HttpRequest, key: uuid.UUID) -> HttpResponse:
    """A line in the changelog."""
    user = person_of(request)
    event = records.find_event(user, key)
    form = CommentForm(request.POST, prefix="say")
    form.is_valid()
    try:
        comment = plain_lines(form.cleaned_data["comment"]).strip()
        records.add_change(event=event, entry={"comment": comment, "change_type": 6 if comment else 0}, by=user)
    except DomainError as error:
        form.take(error)
        return render(request, "events/detail.html", _context(user, event) | {"comment_form": form}, status=422)
    return go(request, reverse("event", args=[event.pk]) + "#changelog")
