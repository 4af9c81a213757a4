"""Events as a table with facets, as a timeline and as a calendar: one set of filters for all three."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.pages import person_of
from core.clock import now
from core.console import is_partial
from core.errors import InvalidInput, Unavailable
from events.tracker.pages import dossier, facets, lanes, month
from events.tracker.pages.looks import ENVIRONMENTS, PRIORITY_WORDS, STATUSES, TYPES
from events.tracker.pages.wanted import Wanted, read_day
from events.tracker.search import decode_cursor, encode_cursor, in_bounded_time, window_of
from events.tracker.vocabulary import Environment, Priority, Status, Type

PER_PAGE = 50


@require_safe
@login_required
def event_table(request: HttpRequest) -> HttpResponse:
    """Events this person may see, newest first; the whole page, or only what changes for HTMX."""
    user = person_of(request)
    wanted = Wanted.of(request.GET)
    try:
        found = _find(user, wanted, _cursor(request))
    except Unavailable as refusal:
        found = {"too_slow": refusal.message}
    return _page(request, user, wanted, "table", found)


def _find(user: User, wanted: Wanted, cursor: str) -> dict[str, Any]:
    criteria = wanted.criteria(user)
    with in_bounded_time():
        events = list(window_of(criteria, PER_PAGE + 1, 0, cursor).select_related("tenant").defer("message"))
        counts = facets.count_facets(wanted, criteria)
    shown = events[:PER_PAGE]
    return {
        "events": shown,
        "counts": counts,
        "facets": facets.facets_of(wanted, counts),
        "next": encode_cursor(shown[-1]) if len(events) > PER_PAGE else "",
        "is_first": not cursor,
        "with_tenant": len(criteria.tenants) > 1,
    }


def _cursor(request: HttpRequest) -> str:
    """The cursor of the address; one that is none of ours means the newest page."""
    cursor = request.GET.get("before", "")
    try:
        return cursor if cursor and decode_cursor(cursor) else ""
    except InvalidInput:
        return ""


@require_safe
@login_required
def event_timeline(request: HttpRequest) -> HttpResponse:
    """The events of some days on lanes."""
    user = person_of(request)
    wanted = Wanted.of(request.GET)
    days, end = lanes.read_window(request.GET)
    group = request.GET.get("lanes", "")
    group = group if group in lanes.GROUPS else "service"
    found: dict[str, Any] = {"days": days, "spans": lanes.DAYS, "group": group, "groups": lanes.GROUPS}
    found |= {"end_day": (end - lanes.ONE_DAY).date(), "today": now().date(), **lanes.neighbours(days, end)}
    try:
        found["timeline"] = lanes.read_timeline(user, wanted, days=days, end=end, group=group)
    except Unavailable as refusal:
        found["too_slow"] = refusal.message
    return _page(request, user, wanted, "timeline", found)


@require_safe
@login_required
def event_calendar(request: HttpRequest) -> HttpResponse:
    """A month, or a week, of events."""
    user = person_of(request)
    wanted = Wanted.of(request.GET)
    by_week = request.GET.get("by") == "week"
    anchor = read_day(request.GET.get("day", "")) or now().date()
    found: dict[str, Any] = {"by_week": by_week, "today": now().date(), "weekdays": month.WEEKDAYS}
    try:
        found["sheet"] = month.read_sheet(user, wanted, anchor=anchor, by_week=by_week)
    except Unavailable as refusal:
        found["too_slow"] = refusal.message
    return _page(request, user, wanted, "calendar", found)


def _page(request: HttpRequest, user: User, wanted: Wanted, view: str, found: dict[str, Any]) -> HttpResponse:
    part = is_partial(request) and request.GET.get("part") == "events"
    context = found | {
        "wanted": wanted,
        "view": view,
        "can_record": dossier.may_record_somewhere(user),
        "choices": CHOICES,
        "kept": wanted.query(),
        "type_looks": TYPES.values(),
    }
    template = f"events/{view}.html#events" if part else f"events/{view}.html"
    return render(request, template, context, status=503 if "too_slow" in found else 200)


# What the filter bar offers where there are no facets beside the events.
CHOICES = [
    ("type", "Any type", [(kind.name, TYPES[kind].label) for kind in Type if kind]),
    ("environment", "Any environment", [(one.name, ENVIRONMENTS[one]) for one in Environment if one]),
    ("status", "Any status", [(one.name, STATUSES[one].label) for one in Status if one]),
    ("priority", "Any priority", [(one.name, PRIORITY_WORDS[one]) for one in Priority if one]),
]
