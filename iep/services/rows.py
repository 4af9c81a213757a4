"""Single rows, written by statements that the server has prepared instead of composing them each time."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connection, models

from core.sql import run


def insert(row: models.Model) -> None:
    """Write a new row; it has its id afterwards."""
    model = type(row)
    fields = _written(model)
    row.pk = run(_insert_statement(model), [_value(field, getattr(row, field.attname)) for field in fields])[0][0]
    row._state.adding, row._state.db = False, connection.alias


def update(row: models.Model, expected: dict[str, Any], **written: Any) -> bool:
    """Write these fields where the row has the expected ones; whether it had. The object itself stays as it is."""
    model = type(row)
    given = [_value(model._meta.get_field(name), value) for name, value in [*written.items(), *expected.items()]]
    return bool(run(_update_statement(model, tuple(written), tuple(expected)), [*given, row.pk]))


@cache
def _written(model: type[models.Model]) -> tuple[Any, ...]:
    return tuple(field for field in model._meta.concrete_fields if not field.primary_key)


@cache
def _insert_statement(model: type[models.Model]) -> str:
    names = [field.column for field in _written(model)]
    places = ", ".join(["%s"] * len(names))
    return f"INSERT INTO {model._meta.db_table} ({', '.join(names)}) VALUES ({places}) RETURNING id"  # noqa: S608


@cache
def _update_statement(model: type[models.Model], written: tuple[str, ...], expected: tuple[str, ...]) -> str:
    columns = {name: model._meta.get_field(name).column for name in (*written, *expected)}  # type: ignore[union-attr]
    new = ", ".join(f"{columns[name]} = %s" for name in written)
    old = " AND ".join([*(f"{columns[name]} = %s" for name in expected), "id = %s"])
    return f"UPDATE {model._meta.db_table} SET {new} WHERE {old} RETURNING id"  # noqa: S608 (our own columns)


def _value(field: Any, value: Any) -> Any:
    return field.get_db_prep_save(value, connection)
