"""The timeline: events of some days as bars on lanes, one lane for each service or environment, drawn as SVG."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from accounts.models import User
from core.clock import now
from events.models import Event
from events.tracker.pages.looks import ENVIRONMENTS, STATUSES, TYPES, UNFINISHED, tone_of
from events.tracker.pages.wanted import Wanted, read_day
from events.tracker.search import Criteria, in_bounded_time, window_of

DAYS = {1: "1 day", 3: "3 days", 7: "7 days", 14: "2 weeks", 30: "30 days", 90: "90 days"}
GROUPS = {"service": "Services", "environment": "Environments"}
MOST_BARS, MOST_LANES, MOST_ROWS, MOST_OPEN = 400, 40, 6, 50
ONE_DAY = dt.timedelta(days=1)
OPEN_SINCE = dt.timedelta(days=90)
ROW, GAP = 28, 4  # pixels of a row, and between two
LEAST = 2.9  # a bar's least width in percent: 26 pixels where the timeline is at its narrowest
TICKS = {1: 3, 3: 12, 7: 24, 14: 48, 30: 96, 90: 336}  # hours between two marks of the axis


@dataclass(slots=True)
class Bar:
    """One event on its lane; places are percents of the whole width."""

    event: Event
    x: float
    width: float
    tone: str
    shape: str
    label: str
    row: int = 0
    open_left: bool = False
    open_right: bool = False

    @property
    def y(self) -> int:
        return self.row * ROW + GAP // 2

    @property
    def has_room(self) -> bool:
        """Whether some of the title fits, which is cut off at the end of the bar."""
        return self.width > 3 * LEAST


@dataclass(slots=True)
class Lane:
    """A service or an environment, and its bars in rows that do not overlap."""

    key: str
    label: str
    bars: list[Bar] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    hidden: int = 0

    @property
    def height(self) -> int:
        return max(1, len(self.ends)) * ROW

    def put(self, bar: Bar) -> None:
        """Into the first row with room; beyond the last row it is only counted."""
        free = next((row for row, end in enumerate(self.ends) if end <= bar.x), len(self.ends))
        if free == MOST_ROWS:
            self.hidden += 1
            return
        if free == len(self.ends):
            self.ends.append(0.0)
        bar.row, self.ends[free] = free, bar.x + bar.width + 0.2
        self.bars.append(bar)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is drawn, and how much is not."""

    lanes: list[Lane]
    ticks: list[Tick]
    now_x: float | None
    start: dt.datetime
    end: dt.datetime
    more: bool
    lanes_hidden: int


def read_timeline(user: User, wanted: Wanted, *, days: int, end: dt.datetime, group: str) -> Timeline:
    """The newest events that start within the days before `end`, and older ones that are not finished."""
    start = end - dt.timedelta(days=days)
    criteria = _within(wanted.criteria(user), start, end)
    with in_bounded_time():
        found = list(window_of(criteria, MOST_BARS + 1).select_related("tenant").defer("message"))
        more = len(found) > MOST_BARS
        found = found[:MOST_BARS] + _still_open(criteria, start)
    lanes = _in_lanes(found, start, end, group)
    moment = now()
    now_x = _place(moment, start, end) if start <= moment <= end else None
    return Timeline(lanes[:MOST_LANES], _ticks(start, end, days), now_x, start, end, more, len(lanes[MOST_LANES:]))


def _within(criteria: Criteria, start: dt.datetime, end: dt.datetime) -> Criteria:
    return Criteria(criteria.tenants, criteria.exact, text=criteria.text, since=start, until=end)


def _still_open(criteria: Criteria, start: dt.datetime) -> list[Event]:
    earlier = Criteria(
        criteria.tenants, criteria.exact, text=criteria.text, since=start - OPEN_SINCE,
        until=start - dt.timedelta(microseconds=1),
    )  # fmt: skip
    unfinished = Q(ended_at=None, status__in=UNFINISHED) | Q(ended_at__gt=start)
    events = earlier.narrow(Event.objects.filter(unfinished, tenant_id__in=criteria.tenants)).newest_first()
    return list(events.select_related("tenant").defer("message")[:MOST_OPEN])


def _in_lanes(events: Iterable[Event], start: dt.datetime, end: dt.datetime, group: str) -> list[Lane]:
    lanes: dict[str, Lane] = {}
    for event in sorted(events, key=lambda one: (one.happened_at, one.pk)):
        key, label = _lane_of(event, group)
        lanes.setdefault(key, Lane(key, label)).put(_bar(event, start, end))
    if group == "environment":
        return sorted(lanes.values(), key=lambda lane: lane.key, reverse=True)
    return sorted(lanes.values(), key=lambda lane: lane.label.lower())


def _lane_of(event: Event, group: str) -> tuple[str, str]:
    if group == "environment":
        return str(event.environment), ENVIRONMENTS[event.environment]
    return event.service, event.service


def _bar(event: Event, start: dt.datetime, end: dt.datetime) -> Bar:
    open_right = event.ended_at is None and event.status in UNFINISHED
    until = event.ended_at or (now() if open_right else event.happened_at)
    left, right = _place(event.happened_at, start, end), _place(max(until, event.happened_at), start, end)
    x = min(left, 100 - LEAST)
    return Bar(
        event, round(x, 3), round(max(right - x, LEAST), 3), tone_of(event), TYPES[event.type].shape, describe(event),
        open_left=event.happened_at < start, open_right=open_right,
    )  # fmt: skip


def describe(event: Event) -> str:
    """What a bar stands for, in words."""
    parts = [event.title, TYPES[event.type].label]
    if event.status:
        parts.append(STATUSES[event.status].label)
    if event.environment:
        parts.append(ENVIRONMENTS[event.environment])
    parts.append(f"{event.happened_at.astimezone(dt.UTC):%d %b %Y %H:%M} UTC")
    if event.ended_at:
        parts.append(f"until {event.ended_at.astimezone(dt.UTC):%d %b %H:%M}")
    return ", ".join(parts)


def _place(moment: dt.datetime, start: dt.datetime, end: dt.datetime) -> float:
    return min(100.0, max(0.0, 100 * ((moment - start) / (end - start))))


def _ticks(start: dt.datetime, end: dt.datetime, days: int) -> list[Tick]:
    step = dt.timedelta(hours=TICKS[days])
    moment = start.replace(hour=0, minute=0, second=0, microsecond=0)
    ticks = []
    while moment < end:
        place = _place(moment, start, end)
        if moment >= start and place <= 96:
            same_day = days <= 3 and moment.hour
            ticks.append(
                Tick(round(place, 3), f"{moment:%H:%M}" if same_day else f"{moment:%a} {moment.day} {moment:%b}")
            )
        moment += step
    return ticks


def read_window(query: Any, *, default: int = 7) -> tuple[int, dt.datetime]:
    """How many days, and until when: the end of the day that the address names, else the end of today (UTC)."""
    text = query.get("days", "")
    days = int(text) if text.isascii() and text.isdigit() and int(text[:4]) in DAYS else default
    day = read_day(query.get("to", "")) or now().astimezone(dt.UTC).date()
    return days, dt.datetime.combine(day, dt.time(), dt.UTC) + ONE_DAY


def neighbours(days: int, end: dt.datetime) -> dict[str, str]:
    """The last days of the windows before and after this one, as the address has them."""
    last = end - ONE_DAY
    span = dt.timedelta(days=days)
    return {"earlier": (last - span).date().isoformat(), "later": (last + span).date().isoformat()}
