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

from core.sql import run
from events.models import Event
from events.tracker.search import EPOCH, Criteria, decode_cursor, window_of

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
    return Event(id=uuid.UUID(row[0]), happened_at=EPOCH + dt.timedelta(microseconds=row[-1]))


def _run_prepared(criteria: Criteria, size: int, offset: int, cursor: str) -> list[Row]:
    exact = {name: value for name, value in criteria.exact.items() if value not in (None, "", 0)}
    params: list[Any] = [criteria.tenants[0], *exact.values()]
    bounds: list[dt.datetime] = [moment for moment in (criteria.since, criteria.until) if moment]
    beyond = decode_cursor(cursor) if cursor else ()
    shape = (tuple(exact), bool(criteria.since), bool(criteria.until), bool(cursor), criteria.ascending)
    return list(run(_statement(*shape) + f" LIMIT {size:d} OFFSET {offset:d}", [*params, *bounds, *beyond]))


@cache
def _statement(exact: tuple[str, ...], since: bool, until: bool, beyond: bool, ascending: bool) -> str:
    side, way = (">", "ASC") if ascending else ("<", "DESC")
    rules = ["tenant_id = %s", *(f"{name} = %s" for name in exact)]
    rules += [f"{name} <> ''" for name in exact if name in _PARTLY_INDEXED]
    rules += ["happened_at >= %s"] * since + ["happened_at <= %s"] * until
    rules += [f"(happened_at, id) {side} (%s, %s)"] * beyond
    return (
        f"SELECT {', '.join(_EXPRESSIONS)} FROM events_event WHERE {' AND '.join(rules)}"  # noqa: S608 (names of ours)
        f" ORDER BY happened_at {way}, id {way}"
    )
