"""Finding events: filters, pages in a fixed order, and counts that know when to stop."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import psycopg
from django.contrib.postgres.search import SearchQuery
from django.db import OperationalError, connection, transaction
from django.db.models import Q, prefetch_related_objects
from django.db.models.expressions import RawSQL

from core.errors import InvalidInput, Unavailable
from events.models import Event
from events.models.records import SEARCHED_TEXT, EventQuerySet

Item = TypeVar("Item")

COUNT_LIMIT = 10_000
TEXT_COUNT_LIMIT = 1_000  # each match of a text has to be looked at
DEFAULT_PER_PAGE = 50
MAX_PER_PAGE = 10_000
DEEPEST_OFFSET = 10_000
TIME_LIMIT_MS = 2000

# Filters that are plain columns.
EXACT = ("source", "type", "priority", "status", "service", "environment", "slack_id", "owner", "ticket")


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which events, in which of the tenants; empty values do not filter."""

    tenants: Sequence[int]
    exact: dict[str, Any] = field(default_factory=dict)
    impact: bool | int | None = None
    related: uuid.UUID | str | None = None
    text: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None  # inclusive
    ascending: bool = False

    def narrow(self, events: EventQuerySet) -> EventQuerySet:
        """The filters other than the tenant's, applied."""
        rules = {name: value for name, value in self.exact.items() if value not in (None, "", 0)}
        if self.since:
            rules["happened_at__gte"] = self.since
        if self.until:
            rules["happened_at__lte"] = self.until
        if self.impact is not None:
            at_least_one = self.impact is True
            rules["impact__gt" if at_least_one else "impact"] = 0 if at_least_one else int(self.impact)
        events = events.filter(**rules)
        if self.related is not None:
            events = events.filter(related=self.related) if isinstance(self.related, uuid.UUID) else events.none()
        if self.text.strip():
            query = SearchQuery(self.text, config="simple", search_type="websearch")
            events = events.alias(searched=SEARCHED_TEXT).filter(searched=query)
        return events

    @property
    def may_be_slow(self) -> bool:
        """A single filter (or type and environment) is one descent of an index; texts and other combinations may have
        to look at many events.
        """
        filters = {name for name, value in self.exact.items() if value}
        return bool(self.text) or (len(filters) > 1 and filters != {"type", "environment"})

    @property
    def order(self) -> tuple[str, str]:
        return ("happened_at", "id") if self.ascending else ("-happened_at", "-id")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Events in order, how many match in all (`capped`: at least that many), and where to go on."""

    events: list[Item]
    total: int
    capped: bool
    next_cursor: str


def find_page(
    criteria: Criteria, *, per_page: int | None = None, page: int | None = None, cursor: str = ""
) -> Page[Event]:
    """One page by number or by cursor; without either everything, up to MAX_PER_PAGE.

    InvalidInput for a page out of reach by number (a cursor reaches any), Unavailable when it takes too long.
    """
    found = find_page_of(_OBJECTS, criteria, per_page=per_page, page=page, cursor=cursor)
    attach_changes(found.events)
    return found


@dataclass(frozen=True, slots=True)
class Source(Generic[Item]):
    """A way to read events: a window of them, how many match up to a limit, and the cursor that goes on behind one."""

    read: Callable[[Criteria, int, int, str], list[Item]]
    count: Callable[[Criteria, int], int]
    cursor_behind: Callable[[Item], str]


def find_page_of(
    source: Source[Item], criteria: Criteria, *, per_page: int | None = None, page: int | None = None, cursor: str = ""
) -> Page[Item]:
    """As find_page, of whatever the source makes of events."""
    size, offset = _window(per_page, page, cursor)
    with in_bounded_time() if criteria.may_be_slow else contextlib.nullcontext():
        events = source.read(criteria, size + 1, offset, cursor)
        more = len(events) > size
        events = events[:size]
        if more or cursor or (offset and not events):
            total, capped = count_bounded(source.count, criteria)
        else:
            total, capped = offset + len(events), False
    return Page(events, total, capped, source.cursor_behind(events[-1]) if more else "")


def walk(criteria: Criteria, size: int = 1000) -> Iterator[list[Event]]:
    """All events that match, page after page; no transaction stays open between two."""
    cursor = ""
    while True:
        events = list(window_of(criteria, size, 0, cursor))
        if not events:
            return
        attach_changes(events)
        yield events
        if len(events) < size:
            return
        cursor = encode_cursor(events[-1])


def _window(per_page: int | None, page: int | None, cursor: str) -> tuple[int, int]:
    if per_page is not None and per_page > MAX_PER_PAGE:
        raise InvalidInput({"perPage": [f"perPage is at most {MAX_PER_PAGE}; follow nextCursor for more."]})
    if page is not None and page < 0:
        raise InvalidInput({"page": ["page counts from 1."]})
    if page is None and per_page in (None, 0) and not cursor:
        return MAX_PER_PAGE, 0
    size = per_page or DEFAULT_PER_PAGE
    offset = 0 if cursor else (max(page or 1, 1) - 1) * size
    if offset > DEEPEST_OFFSET:
        raise InvalidInput(
            {"page": [f"Pages by number end at event {DEEPEST_OFFSET}; follow nextCursor, or narrow by dates."]}
        )
    return size, offset


def window_of(criteria: Criteria, size: int, offset: int = 0, cursor: str = "") -> EventQuerySet:
    """The first `size` events that match, after `offset` of them or behind `cursor`."""
    events = criteria.narrow(Event.objects.all())
    if cursor:
        events = events.filter(_beyond(criteria, *decode_cursor(cursor)))
    events = events.order_by(*criteria.order)
    tenants = list(criteria.tenants)
    if not tenants:
        return events.none()
    if len(tenants) == 1:
        return events.filter(tenant_id=tenants[0])[offset : offset + size]
    return _across(events, tenants, size + offset)[offset:]


def _across(events: EventQuerySet, tenants: list[int], size: int) -> EventQuerySet:
    """The first `size` of several tenants: the first of each by its own index, merged. The cost grows with the number
    of tenants and the page, not with their events.
    """
    of_one = events.extra(where=['"events_event"."tenant_id" = one.tenant'])  # noqa: S610
    inner, params = of_one.values("id", "happened_at")[:size].query.sql_with_params()
    merged = f"SELECT id FROM unnest(%s::bigint[]) AS one(tenant), LATERAL ({inner}) AS first"  # noqa: S608
    found = RawSQL(merged, (tenants, *params))  # noqa: S611
    return Event.objects.filter(pk__in=found).order_by(*events.query.order_by)[:size]


def _beyond(criteria: Criteria, at: dt.datetime, pk: uuid.UUID) -> Q:
    side = "gt" if criteria.ascending else "lt"
    return Q(**{f"happened_at__{side}e": at}) & (Q(**{f"happened_at__{side}": at}) | Q(**{f"id__{side}": pk}))


def count_up_to(criteria: Criteria, most: int) -> int:
    """How many match, counted up to `most`."""
    matching = criteria.narrow(Event.objects.filter(tenant_id__in=criteria.tenants)).order_by()
    return matching.values("pk")[:most].count()


_known_as_many: dict[str, float] = {}
_REMEMBER_SECONDS = 60.0


def count_bounded(count: Callable[[Criteria, int], int], criteria: Criteria) -> tuple[int, bool]:
    """How many match, counted up to a limit; whether there are more.

    That there are more is remembered for a minute: it stays so, unless most are deleted just then.
    """
    limit = TEXT_COUNT_LIMIT if criteria.text.strip() else COUNT_LIMIT
    key = repr(criteria)
    if _known_as_many.get(key, 0.0) > time.monotonic():
        return limit, True
    found = count(criteria, limit + 1)
    if found > limit:
        if len(_known_as_many) > 1000:
            _known_as_many.clear()
        _known_as_many[key] = time.monotonic() + _REMEMBER_SECONDS
    return min(found, limit), found > limit


@contextlib.contextmanager
def in_bounded_time(milliseconds: int = TIME_LIMIT_MS) -> Iterator[None]:
    """Within the block a statement may take so long; Unavailable, with a remedy, for one that takes longer."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise
        raise Unavailable(
            "This search takes too long. Narrow it: add start_date and end_date, or a service.", code="too_slow"
        ) from error


def attach_changes(events: list[Event]) -> None:
    """Read the changelogs of all of `events` at once; those that never changed are not asked for."""
    changed = [event for event in events if event.updated_at != event.created_at]
    for event in events:
        event._prefetched_objects_cache = {"changes": []}  # type: ignore[attr-defined]
    if changed:
        for event in changed:
            event._prefetched_objects_cache = {}  # type: ignore[attr-defined]
        prefetch_related_objects(changed, "changes")


def encode_cursor(event: Event) -> str:
    """Where a page ended, as a text for the next request."""
    return encode_place(event.happened_at, event.pk)


def encode_place(happened_at: dt.datetime, pk: uuid.UUID) -> str:
    """The same of an event's place in the order."""
    micros = int((happened_at - EPOCH) / dt.timedelta(microseconds=1))
    raw = micros.to_bytes(8, "big", signed=True) + pk.bytes
    return base64.urlsafe_b64encode(raw).decode()


_OBJECTS: Source[Event] = Source(
    lambda criteria, size, offset, cursor: list(window_of(criteria, size, offset, cursor)), count_up_to, encode_cursor
)


EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def decode_cursor(cursor: str) -> tuple[dt.datetime, uuid.UUID]:
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii"))
        micros = int.from_bytes(raw[:8], "big", signed=True)
        return EPOCH + dt.timedelta(microseconds=micros), uuid.UUID(bytes=raw[8:])
    except (ValueError, OverflowError):
        raise InvalidInput({"cursor": ["This is no cursor of ours. Take nextCursor from an answer."]}) from None


_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)


def parse_moment(text: str, path: str, *, end: bool = False) -> dt.datetime | None:
    """A date or time of a query, in UTC where it has no zone; a bare date as an `end` means that whole day."""
    if not text:
        return None
    match = _DAY.fullmatch(text.strip().replace(" +", "+"))
    try:
        if match is None:
            raise ValueError
        if match[2] is None:
            day = dt.datetime.fromisoformat(match[1]).replace(tzinfo=dt.UTC)
            return day + dt.timedelta(days=1, microseconds=-1) if end else day
        moment = dt.datetime.fromisoformat(f"{match[1]}T{match[2]}{(match[3] or '')[:10]}{match[4] or 'Z'}")
        return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            {path: [f'parsing field "{path}": "{text[:50]}" is no date; write 2024-01-31 or 2024-01-31T10:00:00Z.']}
        ) from None
