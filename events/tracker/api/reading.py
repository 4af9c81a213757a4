"""Requests as plain fields: bodies that are JSON whatever their content type says, and queries."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, QueryDict

from core.errors import InvalidInput
from events.tracker.wire.codec import FieldCodec, MessageCodec, Plain, Reading
from events.tracker.wire.scalars import refuse, shown

_TRUE, _FALSE = {"1", "t", "T", "true", "TRUE", "True"}, {"0", "f", "F", "false", "FALSE", "False"}


def read_json(body: bytes) -> Any:
    """The JSON value of a body; an empty one is an empty object. InvalidInput for anything else."""
    if not body.strip():
        return {}
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInput({"body": [f"The body is no JSON: {error}"]}) from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def read_body(request: HttpRequest, codec: MessageCodec, reading: Reading) -> Plain:
    return codec.parse(read_json(request.body), reading=reading)


def read_query(query: QueryDict, codec: MessageCodec, reading: Reading) -> Plain:
    """The query's parameters that the message knows, in either spelling; a list is a parameter repeated."""
    plain: Plain = {}
    for key in query:
        field = codec.by_key.get(key)
        if field is None or field.message:
            continue
        values = [_parse(field, key, value, reading) for value in query.getlist(key) if value != ""]
        if not values:
            continue
        if field.name in plain:
            raise refuse(key, f'parsing field "{key}": it is given as {field.json} and as {field.name}')
        plain[field.name] = values if field.repeated else values[-1]
    return plain


def _parse(field: FieldCodec, key: str, value: str, reading: Reading) -> Any:
    if (field.wrapped or field.kind) == "bool" and value in _TRUE | _FALSE:
        value = "true" if value in _TRUE else "false"
    try:
        return field.item_parser()(value, key, reading)
    except InvalidInput as error:
        hint = f"; one of {field.enum.listed}" if field.enum else ""
        raise refuse(key, f'parsing field "{key}": {shown(value)} is not a valid value{hint}') from error
