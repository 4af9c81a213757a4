"""SQL beside the ORM: frequent statements, prepared on the server, and counts of many kinds in one query."""

from __future__ import annotations

import datetime as dt
import json
import math
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from types import NoneType
from typing import Any, TypeVar

import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.base import ModelState
from psycopg.pq import TransactionStatus

Row = TypeVar("Row", bound=models.Model)


# So long a connection that answered is taken to be there still.
ANSWERED_SECONDS = 1.0

Params = Sequence[Any] | Mapping[str, Any]
Statement = tuple[str, Params]


def run(statement: str, params: Params) -> list[tuple[Any, ...]]:
    """The rows of the statement. Write it once, with everything that varies as a parameter, or nothing is gained."""
    database = connections[DEFAULT_DB_ALIAS]
    if database.queries_logged or database.execute_wrappers:  # someone counts or watches the queries
        with database.cursor() as cursor:
            cursor.execute(statement, params)
            return list(cursor.fetchall()) if cursor.description else []
    _make_sure_of(database)
    if database.in_atomic_block and database.connection.info.transaction_status == TransactionStatus.IDLE:
        return run_all((statement, params))[0]  # its BEGIN has not been sent yet
    with database.wrap_database_errors, psycopg.Cursor(database.connection) as cursor:
        cursor.execute(statement, params)
        return _rows(cursor)


def run_all(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """The rows of each, all sent at once: one round trip, also where the first of them opens the transaction.

    Each still sees what was committed when it started; after one that fails none is carried out.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.queries_logged or database.execute_wrappers:
        return [run(statement, params) for statement, params in statements]
    _make_sure_of(database)
    with database.wrap_database_errors, ExitStack() as open_cursors:
        with database.connection.pipeline():
            cursors = [open_cursors.enter_context(psycopg.Cursor(database.connection)) for _ in statements]
            for cursor, (statement, params) in zip(cursors, statements, strict=True):
                cursor.execute(statement, params)
        return [_rows(cursor) for cursor in cursors]


def _make_sure_of(database: Any) -> None:
    """A connection that lives; one that answered a moment ago is not asked once more."""
    moment = time.monotonic()
    if moment - getattr(database, "answered_at", -math.inf) < ANSWERED_SECONDS:
        database.health_check_done = True
    else:
        database.close_if_health_check_failed()
    database.ensure_connection()
    database.answered_at = moment


def _rows(cursor: psycopg.Cursor[Any]) -> list[tuple[Any, ...]]:
    has_rows = cursor.pgresult is not None and cursor.pgresult.nfields > 0
    return list(cursor.fetchall()) if has_rows else []


def insert(row: models.Model, child: models.Model | None = None, link: str = "") -> None:
    """Save a new row, and a `child` whose column `link` names it, in one round trip; both get their keys.

    For writes that happen all day: prepared, but without what the ORM does besides (defaults of the database, parents).
    """
    statement = _insert_with_child(type(row), type(child), link) if child is not None else _insert(type(row))
    values = prepared(row, _written(type(row)))
    if child is not None:
        values += prepared(child, _written(type(child), link))
    (keys,) = run_all((statement, values))[0]
    for saved, key in zip((row, child) if child is not None else (row,), keys, strict=True):
        assert saved is not None
        saved.pk, saved._state.adding, saved._state.db = key, False, DEFAULT_DB_ALIAS
    if child is not None:
        setattr(child, link, row.pk)


@cache
def _insert(model: type[models.Model]) -> str:
    names = [str(field.column) for field in _written(model)]
    return (
        f'INSERT INTO "{model._meta.db_table}" ({", ".join(names)}) VALUES ({", ".join(["%s"] * len(names))})'  # noqa: S608 (our own columns)
        f" RETURNING {model._meta.pk.column}"
    )


@cache
def _insert_with_child(model: type[models.Model], child: type[models.Model], link: str) -> str:
    key = model._meta.pk.column
    names = [link, *(str(field.column) for field in _written(child, link))]
    return f"""
WITH parent AS ({_insert(model)}), child AS (
    INSERT INTO "{child._meta.db_table}" ({", ".join(names)})
    VALUES ((SELECT {key} FROM parent), {", ".join(["%s"] * (len(names) - 1))}) RETURNING {child._meta.pk.column}
) SELECT parent.{key}, child.{child._meta.pk.column} FROM parent, child
"""  # noqa: S608 (our own columns)


@cache
def _written(model: type[models.Model], but: str = "") -> list[models.Field[Any, Any]]:
    return [field for field in model._meta.concrete_fields if not field.primary_key and field.column != but]


# Values that go to the database as they are, whatever the field.
_AS_IT_IS = {int, str, bool, NoneType, dt.datetime, uuid.UUID}


def prepared(row: models.Model, fields: Iterable[models.Field[Any, Any]]) -> list[Any]:
    """The values of these fields, as `run` takes them."""
    database = connections[DEFAULT_DB_ALIAS]
    values = []
    for field in fields:
        value = getattr(row, field.attname)
        plain = type(value) in _AS_IT_IS and not isinstance(field, models.JSONField)
        values.append(value if plain else field.get_db_prep_save(value, database))
    return values


@cache
def _fields(model: type[models.Model]) -> tuple[list[str], list[int]]:
    """The attributes of the columns, and the places of those that come as JSON text."""
    fields = model._meta.concrete_fields
    return [field.attname for field in fields], [n for n, f in enumerate(fields) if isinstance(f, models.JSONField)]


def columns(model: type[models.Model], alias: str) -> str:
    """Every column of the model, for a SELECT or RETURNING that `build` reads."""
    return ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)


def build(model: type[Row], values: Sequence[Any]) -> Row:
    """The object whose `columns` have these values."""
    names, texts = _fields(model)
    converted = list(values)
    for place in texts:
        if isinstance(converted[place], str):
            converted[place] = json.loads(converted[place])
    return model.from_db(DEFAULT_DB_ALIAS, names, converted)


def width(model: type[models.Model]) -> int:
    """How many columns `columns` names."""
    return len(_fields(model)[0])


@cache
def _defaults(model: type[models.Model]) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
    """What a new object begins with: plain values, and those that are made anew each time."""
    fields = model._meta.concrete_fields
    made = {field.attname: field.get_default for field in fields if callable(field.default)}
    return {field.attname: field.get_default() for field in fields if field.attname not in made}, made


def new_row(model: type[Row], values: Mapping[str, Any]) -> Row:
    """The object that `model(**values)` makes, in a tenth of the time; a foreign key is given by its column."""
    plain, made = _defaults(model)
    row = model.__new__(model)
    row.__dict__.update(plain)
    row.__dict__.update({name: make() for name, make in made.items() if name not in values})
    row.__dict__.update(values)
    row._state = ModelState()
    return row


@cache
def _insertion(model: type[models.Model], count: int) -> str:
    """The INSERT of so many whole rows."""
    names = [f'"{field.column}"' for field in model._meta.concrete_fields]
    row = f"({', '.join(['%s'] * len(names))})"
    return f'INSERT INTO "{model._meta.db_table}" ({", ".join(names)}) VALUES {", ".join([row] * count)}'  # noqa: S608


def insertion_of(rows: Sequence[models.Model]) -> Statement:
    """The statement that writes new rows of one model whose keys are set already; the same for as many rows."""
    database = connections[DEFAULT_DB_ALIAS]
    model, values = type(rows[0]), []
    names, texts = _fields(model)
    fields = model._meta.concrete_fields
    for row in rows:
        plain = [getattr(row, name) for name in names]
        for place in texts:
            plain[place] = fields[place].get_db_prep_save(plain[place], database)
        values += plain
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
    return _insertion(model, len(rows)), values


def insert_rows(rows: Sequence[models.Model]) -> None:
    """Write them."""
    run(*insertion_of(rows))


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
