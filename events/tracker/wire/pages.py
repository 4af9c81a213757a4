"""Pages of events as `lines.py` has the database write them: nothing becomes an object that only becomes text again.

What the index answers at once (no filter, or a single one, in one tenant) is one prepared statement; the rest is asked
through the ORM. A test holds both to the same rows.
"""

from __future__ import annotations

import datetime as dt
import uuid
from functools import cache, lru_cache
from typing import Any

from django.db.models.expressions import RawSQL

from core.sql import run
from events.tracker.rights import tenant_numbered
from events.tracker.search import Criteria, Source, count_up_to, decode_cursor, encode_place, window_of
from events.tracker.wire.lines import BESIDE, selecting_lines

Line = tuple[Any, ...]  # its JSON, its id, and when it happened in UTC
Shape = tuple[tuple[str, ...], bool, bool]  # the columns that are filtered, whether there is a beginning, an end

_SLUG = "(SELECT slug FROM accounts_tenant WHERE id = tenant_id)"
# An index has these only where they are not empty, which a prepared statement has to be told.
_PARTLY_INDEXED = {"ticket", "slack_id"}


def read_lines(criteria: Criteria, size: int, offset: int, cursor: str) -> list[Line]:
    """As `window_of`."""
    if len(criteria.tenants) == 1 and is_one_descent(criteria):
        return _run_prepared(criteria, size, offset, cursor)
    events = window_of(criteria, size, offset, cursor)
    if events.query.is_empty():
        return []
    beside = {name: RawSQL(sql, ()) for name, sql in {**BESIDE, "slug": _SLUG}.items()}  # noqa: S611 (our own columns)
    window, params = events.annotate(**beside).query.sql_with_params()
    return run(selecting_lines(window, criteria.ascending), params)


def is_one_descent(criteria: Criteria) -> bool:
    """Whether one index holds just the events that match, in their order."""
    return not (criteria.may_be_slow or criteria.text.strip() or criteria.related) and criteria.impact is None


def cursor_behind(line: Line) -> str:
    return encode_place(dt.datetime.fromisoformat(line[2]).replace(tzinfo=dt.UTC), uuid.UUID(line[1]))


def count_lines(criteria: Criteria, most: int) -> int:
    """How many match, counted up to `most`."""
    if len(criteria.tenants) == 1 and is_one_descent(criteria):
        shape, params = _shape(criteria)
        return int(run(f"SELECT count(*) FROM ({_counted(*shape)} LIMIT {most:d}) AS found", params)[0][0])  # noqa: S608
    return count_up_to(criteria, most)


def _run_prepared(criteria: Criteria, size: int, offset: int, cursor: str) -> list[Line]:
    shape, params = _shape(criteria)
    beyond = decode_cursor(cursor) if cursor else ()
    statement = _statement(shape, bool(cursor), criteria.ascending, size, offset)
    return run(statement, [tenant_numbered(criteria.tenants[0]).slug, *params, *beyond])


def _shape(criteria: Criteria) -> tuple[Shape, list[Any]]:
    """Which filters there are, and their values."""
    exact = {name: value for name, value in criteria.exact.items() if value not in (None, "", 0)}
    bounds: list[dt.datetime] = [moment for moment in (criteria.since, criteria.until) if moment]
    return (tuple(exact), bool(criteria.since), bool(criteria.until)), [criteria.tenants[0], *exact.values(), *bounds]


@cache
def _counted(exact: tuple[str, ...], since: bool, until: bool) -> str:
    return f"SELECT FROM events_event WHERE {' AND '.join(_rules(exact, since, until))}"  # noqa: S608 (names of ours)


@lru_cache(200)
def _statement(shape: Shape, beyond: bool, ascending: bool, size: int, offset: int) -> str:
    side, way = (">", "ASC") if ascending else ("<", "DESC")
    rules = [*_rules(*shape), *[f"(happened_at, id) {side} (%s, %s)"] * beyond]
    beside = ", ".join([f"{expression} AS {name}" for name, expression in {**BESIDE, "slug": "%s::text"}.items()])
    window = (
        f"SELECT *, {beside} FROM events_event WHERE {' AND '.join(rules)}"  # noqa: S608 (names of ours)
        f" ORDER BY happened_at {way}, id {way} LIMIT {size:d} OFFSET {offset:d}"
    )
    return selecting_lines(window, ascending)


def _rules(exact: tuple[str, ...], since: bool, until: bool) -> list[str]:
    rules = ["tenant_id = %s", *(f"{name} = %s" for name in exact)]
    rules += [f"{name} <> ''" for name in exact if name in _PARTLY_INDEXED]
    return [*rules, *["happened_at >= %s"] * since, *["happened_at <= %s"] * until]


LINES: Source[Line] = Source(read_lines, count_lines, cursor_behind)
