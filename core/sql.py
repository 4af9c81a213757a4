"""Frequent statements beside the ORM: prepared on the server, several in one round trip (docs/adr/0009)."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from types import NoneType
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, DataError, connections, transaction
from psycopg.pq import TransactionStatus

from core.pipeline import at_once

# So long a connection that answered is taken to be there still.
ANSWERED_SECONDS = 1.0

Params = Sequence[Any] | Mapping[str, Any]
Statement = tuple[str, Params]


def run(statement: str, params: Params) -> list[tuple[Any, ...]]:
    """The rows of the statement. Write it once, with everything that varies as a parameter, or nothing is gained."""
    return run_all((statement, params))[0]


def run_all(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """The rows of each, all sent at once: one round trip, also where the first of them opens the transaction.

    Each still sees what was committed when it started; after one that fails none is carried out.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.queries_logged or database.execute_wrappers:  # someone counts or watches the queries
        return [_run_watched(database, *statement) for statement in statements]
    _make_sure_of(database)
    if database.in_atomic_block and database.connection.info.transaction_status == TransactionStatus.IDLE:
        return _send(database, [("BEGIN", ()), *statements])[1:]  # Django leaves it to the first statement
    return _send(database, statements)


def _send(database: Any, statements: Sequence[Statement]) -> list[list[tuple[Any, ...]]]:
    connection = database.connection
    together = at_once(connection) if len(statements) > 1 else nullcontext(psycopg.Cursor)
    with database.wrap_database_errors:
        with together as cursor_class:
            cursors = [cursor_class(connection) for _ in statements]
            for cursor, (statement, params) in zip(cursors, statements, strict=True):
                cursor.execute(statement, _with_arrays(params))
        return [_rows(cursor) for cursor in cursors]


def _run_watched(database: Any, statement: str, params: Params) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall()) if cursor.description else []


def run_last(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """The rows of each, as run_all, with the COMMIT of the transaction that runs, where it is not a part of another.

    No lock waits for this process to hear of them and to commit then. The atomic block must end behind this; what could
    still fail in it must be `required`.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if len(database.atomic_blocks) > 1 or database.queries_logged or database.execute_wrappers:
        return run_all(*statements)
    return run_all(*statements, ("COMMIT", ()))[:-1]


def required(statement: Statement) -> Statement:
    """The statement, failing where it has no row (`is_missing`): whatever was sent with it is not carried out then."""
    text, params = statement
    return f"WITH found AS ({text}) SELECT 1 / count(*) FROM found", params  # noqa: S608 (our own statement)


def is_missing(error: DataError) -> bool:
    """Whether a `required` statement had no row."""
    return isinstance(error.__cause__, psycopg.errors.DivisionByZero)


def transact(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """The rows of each, as run_all, in a transaction of their own: all or none, and no round trip for its begin and end.

    What one pipeline sends up to its end is one transaction (PostgreSQL, libpq, "Pipeline Mode").
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.in_atomic_block:
        raise transaction.TransactionManagementError("A transaction runs already: use run_all within it.")
    if database.queries_logged or database.execute_wrappers:
        with transaction.atomic():
            return run_all(*statements)
    return run_all(*statements)


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


def _with_arrays(params: Params) -> Params:
    """The parameters with lists as PostgreSQL writes arrays: psycopg takes longer over a list than over all the rest."""
    if isinstance(params, Mapping):
        return {name: array_of(value) if type(value) is list else value for name, value in params.items()}
    return [array_of(value) if type(value) is list else value for value in params]


def array_of(values: list[Any]) -> str | list[Any]:
    """The list as text, for the database to give it its type; as it is when it has other things than texts and numbers."""
    kinds = set(map(type, values))
    if kinds <= {int}:
        return "{" + ",".join(map(str, values)) + "}"
    if kinds <= {str}:
        text = '","'.join(values)
        if "\\" in text or text.count('"') != 2 * (len(values) - 1):  # something needs to be escaped
            text = '","'.join([_escaped(value) for value in values])
        return '{"' + text + '"}'
    if kinds <= {str, NoneType}:
        return "{" + ",".join(["NULL" if value is None else f'"{_escaped(value)}"' for value in values]) + "}"
    return values


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
