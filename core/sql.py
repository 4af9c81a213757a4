"""Frequent statements, prepared on the server: past the ORM where its own work would cost more than the query."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from django.db import connection, models

Row = TypeVar("Row", bound=models.Model)


def run(statement: str, params: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of the statement. Write it once, with everything that varies as a parameter, or nothing is gained."""
    if connection.queries_logged or connection.execute_wrappers:  # someone counts or watches the queries
        with connection.cursor() as cursor:
            cursor.execute(statement, params)
            return list(cursor.fetchall()) if cursor.description else []
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall()) if cursor.description else []


def columns(model: type[models.Model], alias: str) -> str:
    """Every column of the model, for a SELECT or RETURNING that `build` reads."""
    return ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)


def build(model: type[Row], values: Sequence[Any]) -> Row:
    """The object whose `columns` have these values."""
    fields = model._meta.concrete_fields
    converted = [
        json.loads(value) if isinstance(field, models.JSONField) and isinstance(value, str) else value
        for field, value in zip(fields, values, strict=True)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], converted)


def width(model: type[models.Model]) -> int:
    """How many columns `columns` names."""
    return len(model._meta.concrete_fields)
