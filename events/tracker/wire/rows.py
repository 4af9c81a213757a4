"""Rows of events for `lines.py`, read as text: nothing is turned into an object that only becomes text again.

What the index answers at once (no filter, or a single one, in one tenant) is one prepared statement; the rest is asked
through the ORM. A test holds both to the same rows.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db.models.expressions import RawSQL

from core.rows import new_row
from core.sql import run
from events.models import Event
from events.tracker.search import EPOCH, Criteria, Source, count_up_to, decode_cursor, window_of

Row = Sequence[Any]

_TEXTS = ("id", "related_id")
_TIMES = ("started_at", "ended_at", "created_at", "updated_at")
_LISTS = ("stakeholders", "notifications")
_MICROSECONDS = ("duration", "happened_at")
COLUMNS = (
    "id", "tenant_id", "title", "message", "source", "type", "priority", "related_id", "service", "status", "environment",
    "impact", "started_at", "ended_at", "owner", "stakeholders", "notification", "notifications", "pull_request_link",
    "ticket", "slack_id", "created_at", "created_by", "updated_at", "duration", "happened_at",
)  # fmt: skip
# An index has these only where they are not empty, which a prepared statement has to be told.
_PARTLY_INDEXED = {"ticket", "slack_id"}


def _expression(column: str) -> str:
    name = f'"events_event"."{column}"'
    if column in _TEXTS:
        return f"{name}::text"
    if column in _TIMES:
        return f"({name} AT TIME ZONE 'UTC')::text"
    if column in _LISTS:
        return f"CASE WHEN {name} = '{{}}' THEN '[]' ELSE to_json({name})::text END"
    if column in _MICROSECONDS:
        return f"(extract(epoch FROM {name}) * 1000000)::bigint"
    return name


_EXPRESSIONS = [_expression(column) for column in COLUMNS]


def read_rows(criteria: Criteria, size: int, offset: int, cursor: str) -> list[Row]:
    """As `window_of`, but the columns of `COLUMNS`."""
    if len(criteria.tenants) == 1 and is_one_descent(criteria):
        return _run_prepared(criteria, size, offset, cursor)
    events = window_of(criteria, size, offset, cursor)
    return list(events.values_list(*[RawSQL(sql, ()) for sql in _EXPRESSIONS]))  # noqa: S611 (our own columns)


def is_one_descent(criteria: Criteria) -> bool:
    """Whether one index holds just the events that match, in their order."""
    return not (criteria.may_be_slow or criteria.text.strip() or criteria.related) and criteria.impact is None


def last_of(row: Row) -> Event:
    """Just enough of an event to go on behind it."""
    return new_row(Event, {"id": uuid.UUID(row[0]), "happened_at": EPOCH + dt.timedelta(microseconds=row[-1])})


def count_rows(criteria: Criteria, most: int) -> int:
    """How many match, counted up to `most`."""
    if len(criteria.tenants) == 1 and is_one_descent(criteria):
        shape, params = _shape(criteria)
        return int(run(f"SELECT count(*) FROM ({_counted(*shape)} LIMIT {most:d}) AS found", params)[0][0])  # noqa: S608
    return count_up_to(criteria, most)


def _run_prepared(criteria: Criteria, size: int, offset: int, cursor: str) -> list[Row]:
    shape, params = _shape(criteria)
    beyond = decode_cursor(cursor) if cursor else ()
    statement = _statement(*shape, bool(cursor), criteria.ascending)
    return list(run(f"{statement} LIMIT {size:d} OFFSET {offset:d}", [*params, *beyond]))


def _shape(criteria: Criteria) -> tuple[tuple[tuple[str, ...], bool, bool], list[Any]]:
    """Which filters there are, and their values."""
    exact = {name: value for name, value in criteria.exact.items() if value not in (None, "", 0)}
    bounds: list[dt.datetime] = [moment for moment in (criteria.since, criteria.until) if moment]
    return (tuple(exact), bool(criteria.since), bool(criteria.until)), [criteria.tenants[0], *exact.values(), *bounds]


@cache
def _counted(exact: tuple[str, ...], since: bool, until: bool) -> str:
    return f"SELECT FROM events_event WHERE {' AND '.join(_rules(exact, since, until))}"  # noqa: S608 (names of ours)


@cache
def _statement(exact: tuple[str, ...], since: bool, until: bool, beyond: bool, ascending: bool) -> str:
    side, way = (">", "ASC") if ascending else ("<", "DESC")
    rules = [*_rules(exact, since, until), *[f"(happened_at, id) {side} (%s, %s)"] * beyond]
    return (
        f"SELECT {', '.join(_EXPRESSIONS)} FROM events_event WHERE {' AND '.join(rules)}"  # noqa: S608 (names of ours)
        f" ORDER BY happened_at {way}, id {way}"
    )


def _rules(exact: tuple[str, ...], since: bool, until: bool) -> list[str]:
    rules = ["tenant_id = %s", *(f"{name} = %s" for name in exact)]
    rules += [f"{name} <> ''" for name in exact if name in _PARTLY_INDEXED]
    return [*rules, *["happened_at >= %s"] * since, *["happened_at <= %s"] * until]


ROWS: Source[Row] = Source(read_rows, count_rows, last_of)
