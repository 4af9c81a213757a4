"""Objects of models from and into the statements of core/sql.py (docs/adr/0009)."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import NoneType
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.base import ModelState

from core.sql import Statement, array_of, run, run_all

Row = TypeVar("Row", bound=models.Model)


def insert(row: models.Model, child: models.Model | None = None, link: str = "") -> None:
    """Save a new row, and a `child` whose column `link` names it, in one round trip; both get their keys.

    For writes that happen all day: prepared, but without what the ORM does besides (defaults of the database, parents).
    """
    statement, values = insert_of(row)
    if child is not None:
        statement = _insert_with_child(type(row), type(child), link)
        values = [*values, *prepared(child, _written(type(child), link))]
    (keys,) = run_all((statement, values))[0]
    for saved, key in zip((row, child) if child is not None else (row,), keys, strict=True):
        assert saved is not None
        saved.pk, saved._state.adding, saved._state.db = key, False, DEFAULT_DB_ALIAS
    if child is not None:
        setattr(child, link, row.pk)


def insert_of(row: models.Model) -> Statement:
    """The statement of `insert`, to be sent with others; its one row has the key."""
    return _insert(type(row)), prepared(row, _written(type(row)))


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


def update(row: models.Model, expected: Mapping[str, Any], **written: Any) -> bool:
    """Write these fields where the row still has the expected ones; whether it had. The object itself stays as it is."""
    return bool(run(*update_of(row, expected, **written)))


def update_of(row: models.Model, expected: Mapping[str, Any], **written: Any) -> Statement:
    """The statement of `update`, to be sent with others; it has a row where the row had the expected fields."""
    model, given = type(row), [*written.items(), *expected.items()]
    values = [_plain(_field(model, name), value) for name, value in given]
    return _update(model, tuple(written), tuple(expected)), [*values, row.pk]


@cache
def _update(model: type[models.Model], written: tuple[str, ...], expected: tuple[str, ...]) -> str:
    new = ", ".join(f"{_field(model, name).column} = %s" for name in written)
    old = " AND ".join(f"{_field(model, name).column} = %s" for name in expected)
    key = model._meta.pk.column
    return f'UPDATE "{model._meta.db_table}" SET {new} WHERE {old} AND {key} = %s RETURNING {key}'  # noqa: S608 (our own columns)


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)
    return field


# Values that go to the database as they are, whatever the field.
_AS_IT_IS = {int, str, bool, NoneType, dt.datetime, uuid.UUID}


def prepared(row: models.Model, fields: Iterable[models.Field[Any, Any]]) -> list[Any]:
    """The values of these fields, as `run` takes them."""
    return [_plain(field, getattr(row, field.attname)) for field in fields]


def _plain(field: models.Field[Any, Any], value: Any) -> Any:
    if type(value) in _AS_IT_IS and not isinstance(field, models.JSONField):
        return value
    return field.get_db_prep_save(value, connections[DEFAULT_DB_ALIAS])


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
    made = {field.attname: field.get_default for field in fields if field.has_default() and callable(field.default)}
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


def insertion_of_many(rows: Sequence[models.Model]) -> Statement:
    """As insertion_of, for many: each column is one array, so the statement is the same for any number of rows."""
    model = type(rows[0])
    names, _ = _fields(model)
    given = [row.__dict__ for row in rows]
    columns = [_column([values[name] for values in given]) for name in names]
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
    return _insertion_by_columns(model), columns


@cache
def _insertion_by_columns(model: type[models.Model]) -> str:
    fields, database = model._meta.concrete_fields, connections[DEFAULT_DB_ALIAS]
    names = ", ".join([f'"{field.column}"' for field in fields])
    types = [str(field.db_type(database)) for field in fields]
    # There are no arrays of arrays of different lengths: those columns come as arrays of texts.
    given = ", ".join([f"%s::{'text' if type.endswith(']') else type}[]" for type in types])
    taken = ", ".join([f'new."{field.column}"::{type}' for field, type in zip(fields, types, strict=True)])
    return f'INSERT INTO "{model._meta.db_table}" ({names}) SELECT {taken} FROM unnest({given}) AS new({names})'  # noqa: S608


def _column(values: list[Any]) -> str | list[Any]:
    """The values as PostgreSQL writes an array."""
    kinds = set(map(type, values))
    if kinds in ({str}, {int}):
        return array_of(values)
    if kinds == {uuid.UUID}:  # as a rule all different, and slow to compare
        return array_of([value.hex for value in values])
    if list in kinds:
        return array_of([array_of(value) if value else "{}" for value in values])
    texts = {value: _TEXT_OF[type(value)](value) for value in set(values)}
    return array_of([texts[value] for value in values])


_TEXT_OF: dict[type, Callable[[Any], str | None]] = {
    NoneType: lambda value: None,
    str: str,
    int: str,
    bool: str,
    uuid.UUID: lambda value: value.hex,
    dt.datetime: dt.datetime.isoformat,
    dt.timedelta: lambda value: f"{value // dt.timedelta(microseconds=1)} microseconds",
}


def insert_rows(rows: Sequence[models.Model]) -> None:
    """Write them."""
    run(*insertion_of(rows))
