"""Counts of many kinds in one query, each of which stops counting at a limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections, models

Select = tuple[str, Sequence[Any]]


def select_of(rows: models.QuerySet[Any, Any]) -> Select:
    """The text of a query and its values; the text is empty when it cannot find anything."""
    try:
        return rows.query.sql_with_params()
    except EmptyResultSet:
        return "", ()


def counts_up_to(limit: int, parts: Mapping[str, Iterable[models.QuerySet[Any, Any]]]) -> list[Select]:
    """For each name a SELECT of (name, '', count) over its parts together, which stops counting at `limit` + 1 in each."""
    selects: list[Select] = []
    for name, rows in parts.items():
        found = [select_of(part.order_by().values("pk")[: limit + 1]) for part in rows]
        found = [part for part in found if part[0]]
        if found:
            union = " UNION ALL ".join(f"({sql})" for sql, _ in found)
            values = [value for _, params in found for value in params]
            selects.append((f"SELECT %s, '', count(*) FROM ({union}) AS one", [name, *values]))  # noqa: S608 (Django wrote it)
    return selects


def run_together(selects: Sequence[Select]) -> list[tuple[Any, ...]]:
    """The rows of all of them, in one query."""
    if not selects:
        return []
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(sql for sql, _ in selects), [value for _, params in selects for value in params]
        )
        return list(cursor.fetchall())


def spell_count(count: int, limit: int) -> str:
    """The count for people, when counting stopped at `limit` + 1."""
    return f"{limit}+" if count > limit else str(count)
