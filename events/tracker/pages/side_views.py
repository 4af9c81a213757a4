"""Locks that are held, and the catalogue of services: small pages beside the events."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.pages import person_of
from accounts.roles import Capability
from accounts.selectors import grants_of
from core.console import go, is_partial
from core.errors import DomainError, NotFound
from events.models import CatalogEntry, Event, Lock
from events.tracker import locks
from events.tracker.catalog import find_entry
from events.tracker.compliance import judge_entry
from events.tracker.pages import dossier
from events.tracker.pages.event_views import tenant_to_record_into
from events.tracker.pages.forms import LockForm, known_services
from events.tracker.pages.looks import CATALOG_TYPES
from events.tracker.pages.wanted import tenants_to_look_in
from events.tracker.rights import check_can_record, where_open
from events.tracker.vocabulary import CatalogType, Environment

MOST_LOCKS, MOST_ENTRIES, MOST_EVENTS = 200, 100, 10


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def lock_list(request: HttpRequest) -> HttpResponse:
    """What is held now, by whom and until when; a POST holds a service."""
    user = person_of(request)
    if request.method != "POST":
        part = is_partial(request) and request.GET.get("part") == "locks"
        context = _locks(user) | {"form": LockForm(user=user) if dossier.may_record_somewhere(user) else None}
        return render(request, "events/locks.html#locks" if part else "events/locks.html", context)
    form = LockForm(request.POST, user=user)
    form.is_valid()
    try:
        typed = form.cleaned_data
        if form.errors:
            raise DomainError("Correct what could not be read, or leave it empty.", field="-")
        lock = locks.acquire_lock(tenant=tenant_to_record_into(user, typed["tenant"]), content=typed, by=user)
    except DomainError as error:
        form.take(error)
        return render(request, "events/locks.html", _locks(user) | {"form": form}, status=422)
    messages.success(request, f"{lock.service} is locked in {lock.environment or 'every environment'}.")
    return go(request, reverse("event_locks"))


def _locks(user: User) -> dict[str, Any]:
    where = where_open(user, Capability.VIEW_EVENTS)
    held = list(
        Lock.objects.held().filter(**where).select_related("tenant", "event").order_by("-created_at")[: MOST_LOCKS + 1]
    )
    grants = grants_of(user)
    return {
        "locks": [(lock, grants.allow(Capability.RECORD_EVENTS, lock.tenant_id)) for lock in held[:MOST_LOCKS]],
        "more": len(held) > MOST_LOCKS,
        "environments": [one.name for one in Environment if one],
        "services": known_services(sorted({lock.tenant_id for lock in held} | set(grants.by_tenant))),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def lock_release(request: HttpRequest, key: uuid.UUID) -> HttpResponse:
    """Asks once, then gives the lock up."""
    user = person_of(request)
    lock = locks.find_lock(user, key)
    check_can_record(user, lock.tenant_id)
    if request.method != "POST":
        return render(request, "events/release.html", {"lock": lock})
    locks.release_lock(lock=lock, by=user)
    messages.success(request, f"{lock.service} is no longer locked in {lock.environment or 'every environment'}.")
    return go(request, reverse("event_locks"))


@require_safe
@login_required
def catalog_list(request: HttpRequest) -> HttpResponse:
    """The services and deliverables this person may know of, by name."""
    user = person_of(request)
    text = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    kind = CatalogType.__members__.get(request.GET.get("type", ""), CatalogType.TYPE_UNSPECIFIED)
    after = request.GET.get("after", "").replace("\x00", "")[:200]
    found = CatalogEntry.objects.filter(**where_open(user, Capability.VIEW_EVENTS), name__gt=after)
    if text:
        found = found.filter(name__icontains=text) | found.filter(owner__icontains=text)
    if kind:
        found = found.filter(type=kind)
    entries = list(found.select_related("tenant").order_by("name", "tenant")[: MOST_ENTRIES + 1])
    shown = entries[:MOST_ENTRIES]
    context = {
        "entries": [(entry, CATALOG_TYPES[entry.type]) for entry in shown],
        "text": text,
        "kind": kind.name if kind else "",
        "kinds": [(one.name, CATALOG_TYPES[one].label) for one in CatalogType if one],
        "after": after,
        "next": shown[-1].name if len(entries) > MOST_ENTRIES else "",
    }
    return render(request, "events/catalog.html", context)


@require_safe
@login_required
def catalog_entry(request: HttpRequest, name: str) -> HttpResponse:
    """One entry: what it depends on, how current what it uses is, and its newest events."""
    user = person_of(request)
    if "\x00" in name:
        raise NotFound("There is no such entry in the catalogue.")
    entry = find_entry(tenants_to_look_in(user, request.GET.get("tenant", "")), name)
    events = Event.objects.filter(tenant_id=entry.tenant_id, service=entry.name).newest_first()
    context = {
        "entry": entry,
        "kind": CATALOG_TYPES[entry.type],
        "events": list(events.defer("message")[:MOST_EVENTS]),
        "used": judge_entry(entry),
        "links": [(one.get("name") or one["url"], one["url"]) for one in entry.dashboard_links if _is_address(one)],
    }
    return render(request, "events/catalog_entry.html", context)


def _is_address(link: Any) -> bool:
    return isinstance(link, dict) and str(link.get("url", "")).startswith(("https://", "http://"))
