"""The operations of EventService."""

from __future__ import annotations

import datetime as dt
from typing import Any

from core.clock import now
from core.errors import InvalidInput, NotFound
from events.models import Event
from events.tracker import records
from events.tracker.access import READ, WRITE, Caller
from events.tracker.content import parse_id
from events.tracker.operations.table import operation
from events.tracker.search import EXACT, Criteria, attach_changes, find_page, parse_moment
from events.tracker.statistics import Period, count_by_month, count_events
from events.tracker.wire.codec import Plain
from events.tracker.wire.messages import change_plain, changelog_of, content_of, event_plain

ASCENDING = 2
MAX_CHANGES_PER_PAGE = 1000


@operation("event", "CreateEvent", WRITE)
def create_event(caller: Caller, request: Plain) -> Plain:
    tenant = caller.writable(request.get("tenant", ""))
    event = records.record_event(tenant=tenant, content=content_of(request), by=caller.actor)
    return answer_of(event)


@operation("event", "UpdateEvent", WRITE)
def update_event(caller: Caller, request: Plain) -> Plain:
    key = request.get("id") or request.get("slack_id")
    if not key:
        raise InvalidInput({"id": ["id is required: say which event to change."]})
    event = _writable_event(caller, key)
    return answer_of(records.update_event(event=event, content=content_of(request), by=caller.actor))


@operation("event", "DeleteEvents", WRITE)
def delete_event(caller: Caller, request: Plain) -> Plain:
    event = _writable_event(caller, request.get("id") or request.get("slack_id"))
    records.delete_event(event=event, by=caller.actor)
    return {"id": str(event.pk), "slack_id": event.slack_id}


@operation("event", "GetEvent", READ)
def get_event(caller: Caller, request: Plain) -> Plain:
    return answer_of(_visible_event(caller, request.get("id")))


@operation("event", "SearchEvents", READ)
def search_events(caller: Caller, request: Plain) -> Plain:
    return _page(caller, request, criteria_of(caller, request))


@operation("event", "ListEvents", READ)
def list_events(caller: Caller, request: Plain) -> Plain:
    return _page(caller, request, criteria_of(caller, request))


@operation("event", "TodayEvents", READ)
def today_events(caller: Caller, request: Plain) -> Plain:
    return _page(caller, request, criteria_of_today(caller, request))


def criteria_of_today(caller: Caller, request: Plain) -> Criteria:
    """What happens from this midnight to the next, in UTC."""
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    return criteria_of(caller, request, since=midnight, until=midnight + dt.timedelta(days=1, microseconds=-1))


@operation("event", "AddChangelogEntry", WRITE)
def add_changelog_entry(caller: Caller, request: Plain) -> Plain:
    event = _writable_event(caller, request.get("id"))
    return answer_of(records.add_change(event=event, entry=request.get("entry") or {}, by=caller.actor))


@operation("event", "GetEventChangelog", READ)
def get_event_changelog(caller: Caller, request: Plain) -> Plain:
    lines = changelog_of(_visible_event(caller, request.get("id")))
    size = min(request.get("per_page") or 50, MAX_CHANGES_PER_PAGE)
    start = (max(request.get("page") or 1, 1) - 1) * size
    return {"changelog": [change_plain(line) for line in lines[start : start + size]], "total_count": len(lines)}


@operation("event", "AddSlackId", WRITE)
def add_slack_id(caller: Caller, request: Plain) -> Plain:
    event = _writable_event(caller, request.get("id"))
    return answer_of(records.add_slack_id(event=event, slack_id=request.get("slack_id", ""), by=caller.actor))


@operation("event", "GetEventStats", READ)
def get_event_stats(caller: Caller, request: Plain) -> Plain:
    return {"total_count": count_events(_period(caller, request)), **_asked(request)}


@operation("event", "GetEventStatsByMonth", READ)
def get_event_stats_by_month(caller: Caller, request: Plain) -> Plain:
    stats = count_by_month(_period(caller, request), by_service=bool(request.get("group_by_service")))
    return {"stats": stats, "total_count": sum(line["count"] for line in stats), **_asked(request)}


def answer_of(event: Event) -> Plain:
    """What is answered with one event."""
    attach_changes([event])
    return {"event": event_plain(event)}


def _visible_event(caller: Caller, key: Any) -> Event:
    return _in_named_tenant(caller, records.find_event(caller.actor, key or ""))


def _writable_event(caller: Caller, key: Any) -> Event:
    """Found among what the caller sees; whether it may be changed is for the verb to say."""
    return _visible_event(caller, key)


def _in_named_tenant(caller: Caller, event: Event) -> Event:
    if caller.tenant and event.tenant_id not in caller.readable():
        raise NotFound(f"no event found with id {str(event.pk)!r}", details={"kind": "event"})
    return event


def criteria_of(
    caller: Caller, request: Plain, *, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Criteria:
    """What a list, search or watch request asks for."""
    impact = request.get("impact")
    if request.get("impact_level"):
        impact = request["impact_level"]
    related = parse_id(request["related_id"]) if request.get("related_id") else None
    return Criteria(
        tenants=caller.readable(request.get("tenant", "")),
        exact={name: request[name] for name in EXACT if request.get(name)},
        impact=impact,
        related=related,
        text=request.get("q", ""),
        since=since or parse_moment(request.get("start_date", ""), "start_date"),
        until=until or parse_moment(request.get("end_date", ""), "end_date", end=True),
        ascending=request.get("order") == ASCENDING,
    )


def _page(caller: Caller, request: Plain, criteria: Criteria) -> Plain:
    page = find_page(
        criteria, per_page=request.get("per_page"), page=request.get("page"), cursor=request.get("cursor", "")
    )
    return {
        "events": [event_plain(event) for event in page.events],
        "total_count": page.total,
        "next_cursor": page.next_cursor,
        "total_count_capped": page.capped,
    }


def _period(caller: Caller, request: Plain) -> Period:
    bounds = {}
    for name, end in (("start_date", False), ("end_date", True)):
        moment = parse_moment(request.get(name, ""), name, end=end)
        if moment is None:
            raise InvalidInput({name: [f"{name} is required, such as 2024-01-31."]})
        bounds[name] = moment
    return Period(
        tenants=caller.readable(request.get("tenant", "")),
        since=bounds["start_date"],
        until=bounds["end_date"],
        any_of={
            column: request.get(name) or []
            for name, column in (
                ("environments", "environment"), ("priorities", "priority"), ("types", "type"), ("statuses", "status"),
            )
        },
        source=request.get("source", ""),
        service=request.get("service", ""),
        impact=request.get("impact"),
    )  # fmt: skip


def _asked(request: Plain) -> Plain:
    return {"start_date": request["start_date"], "end_date": request["end_date"]}
