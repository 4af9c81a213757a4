"""Fields that the forms of tickets are made of: exact in type, with a sentence for each fault."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.rest import TextField
from tickets.wire import read_plan

_CURSOR = re.compile(r"[1-9][0-9]{0,17}")


class NumberField(serializers.IntegerField):
    """A whole number; no text or true stands for one."""

    default_error_messages = {"invalid": "Give a whole number, without quotes.", "null": "Give a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "oneOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"stage": {"type": "string"}, "gate": {"type": "boolean"}},
                    "required": ["stage"],
                    "additionalProperties": False,
                },
            ]
        },
    }
)
class PlanField(serializers.Field[Any, Any, Any, Any]):
    """Stages in order: worker types, or {"stage": …, "gate": true} for one that waits for a person."""

    default_error_messages = {
        "list": "Give a list of stages.",
        "null": "Give a list of stages; empty for none.",
        "step": 'Stage {number} is neither a worker type nor {{"stage": …, "gate": …}}.',
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, list):
            self.fail("list")
        for number, item in enumerate(data, start=1):
            if not (isinstance(item, str) or _is_step(item)):
                self.fail("step", number=number)
        return read_plan(data)

    def to_representation(self, value: Any) -> Any:
        return value


def _is_step(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and set(item) <= {"stage", "gate"}
        and isinstance(item.get("stage"), str)
        and isinstance(item.get("gate", False), bool)
    )


class DayField(serializers.DateField):
    """A day such as 2030-12-24."""

    default_error_messages = {"invalid": "Give a day such as 2030-12-24."}

    def to_internal_value(self, value: Any) -> dt.date:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


class ManyTexts(serializers.ListField):
    """A list of texts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"child": TextField(), "max_length": 200, **options})


class CursorField(serializers.CharField):
    """Where a page begins, as the Link header of the page before says."""

    default_error_messages = {"cursor": "Take the cursor from the Link header of the page before; do not make one."}

    def to_internal_value(self, data: Any) -> int:  # type: ignore[override]
        try:
            text = base64.urlsafe_b64decode(str(data).encode() + b"==").decode()
        except (binascii.Error, UnicodeError):
            self.fail("cursor")
        if not _CURSOR.fullmatch(text):
            self.fail("cursor")
        return int(text)


def cursor_text(position: int) -> str:
    """The position as it stands in a link."""
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")
