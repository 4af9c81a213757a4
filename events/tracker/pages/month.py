"""The calendar: a month or a week of events, so many of each day, read by one descent of an index for each day."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass, field

from django.db.models.expressions import RawSQL

from accounts.models import User
from core.clock import now
from events.models import Event
from events.tracker.pages.wanted import Wanted
from events.tracker.search import Criteria, in_bounded_time

# So many of a day are read at all, and so many of these are named in a month.
MOST_OF_DAY = 50
SHOWN_OF_DAY = 3
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(slots=True)
class Day:
    """One cell: its newest events, first things first."""

    date: dt.date
    inside: bool
    today: bool
    events: list[Event] = field(default_factory=list)

    @property
    def count(self) -> str:
        return f"{MOST_OF_DAY}+" if len(self.events) > MOST_OF_DAY else str(len(self.events))

    @property
    def shown(self) -> list[Event]:
        return self.events[:SHOWN_OF_DAY]

    @property
    def all(self) -> list[Event]:
        return self.events[:MOST_OF_DAY]

    @property
    def more(self) -> str:
        hidden = len(self.events) - SHOWN_OF_DAY
        if hidden <= 0:
            return ""
        return f"{MOST_OF_DAY - SHOWN_OF_DAY}+" if len(self.events) > MOST_OF_DAY else str(hidden)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A month or a week, in weeks from Monday, and where the neighbours are."""

    title: str
    weeks: list[list[Day]]
    before: dt.date
    after: dt.date
    anchor: dt.date

    @property
    def days(self) -> list[Day]:
        return [day for week in self.weeks for day in week]

    @property
    def found(self) -> bool:
        return any(day.events for day in self.days)


def read_sheet(user: User, wanted: Wanted, *, anchor: dt.date, by_week: bool) -> Sheet:
    """The week or the month of `anchor`, with the events that start on each day (UTC)."""
    sheet = _week(anchor) if by_week else _month(anchor)
    days = {day.date: day for day in sheet.days}
    criteria = wanted.criteria(user)
    with in_bounded_time():
        for event in _events_of(Criteria(criteria.tenants, criteria.exact, text=criteria.text), list(days)):
            days[event.happened_at.astimezone(dt.UTC).date()].events.append(event)
    if by_week:
        for day in sheet.days:
            day.events = sorted(day.events[:MOST_OF_DAY], key=lambda one: one.happened_at) + day.events[MOST_OF_DAY:]
    return sheet


def _events_of(criteria: Criteria, days: list[dt.date]) -> list[Event]:
    """The newest of each day, in one statement: the first of each tenant on each day by its index, merged."""
    if not criteria.tenants:
        return []
    one_day = criteria.narrow(Event.objects.all()).extra(  # noqa: S610
        where=[
            '"events_event"."tenant_id" = one.tenant',
            '"events_event"."happened_at" >= a_day AT TIME ZONE \'UTC\'',
            "\"events_event\".\"happened_at\" < (a_day + interval '1 day') AT TIME ZONE 'UTC'",
        ]
    )
    most = MOST_OF_DAY + 1
    inner, params = one_day.order_by("-happened_at", "-id").values("id")[:most].query.sql_with_params()
    merged = (
        f"SELECT chosen.id FROM unnest(%s::timestamp[]) AS a_day, LATERAL (SELECT first.id"  # noqa: S608
        f" FROM unnest(%s::bigint[]) AS one(tenant), LATERAL ({inner}) AS first LIMIT {most}) AS chosen"
    )
    found = RawSQL(merged, (days, list(criteria.tenants), *params))  # noqa: S611
    events = Event.objects.filter(pk__in=found).newest_first()
    return list(events.only("title", "type", "status", "service", "environment", "happened_at"))


def _month(anchor: dt.date) -> Sheet:
    weeks = calendar.Calendar().monthdatescalendar(anchor.year, anchor.month)
    first = anchor.replace(day=1)
    after = (first + dt.timedelta(days=32)).replace(day=1)
    before = (first - dt.timedelta(days=1)).replace(day=1)
    return Sheet(f"{anchor:%B %Y}", _days(weeks, anchor.month), before, after, first)


def _week(anchor: dt.date) -> Sheet:
    monday = anchor - dt.timedelta(days=anchor.weekday())
    week = [monday + dt.timedelta(days=number) for number in range(7)]
    title = f"{monday.day} {monday:%b} to {week[-1].day} {week[-1]:%b %Y}"
    return Sheet(title, _days([week], 0), monday - dt.timedelta(days=7), monday + dt.timedelta(days=7), monday)


def _days(weeks: list[list[dt.date]], month: int) -> list[list[Day]]:
    today = now().astimezone(dt.UTC).date()
    return [[Day(date, not month or date.month == month, date == today) for date in week] for week in weeks]
