"""What an event may say: cleans and checks its columns, whichever face they came through."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import cache
from typing import Any

from core.errors import InvalidInput
from events.models import Event
from events.tracker import vocabulary as words

Content = Mapping[str, Any]

# Column -> (name on the wire, longest text).
TEXTS = {
    "title": ("title", 500),
    "message": ("attributes.message", 50_000),
    "source": ("attributes.source", 200),
    "service": ("attributes.service", 200),
    "owner": ("attributes.owner", 200),
    "pull_request_link": ("links.pullRequestLink", 2000),
    "ticket": ("links.ticket", 200),
    "slack_id": ("slackId", 200),
}
LISTS = {"stakeholders": "attributes.stakeHolders", "notifications": "attributes.notifications"}
ENUMS: dict[str, tuple[str, type[IntEnum]]] = {
    "type": ("attributes.type", words.Type),
    "priority": ("attributes.priority", words.Priority),
    "status": ("attributes.status", words.Status),
    "environment": ("attributes.environment", words.Environment),
}
TIMES = {"started_at": "attributes.startDate", "ended_at": "attributes.endDate"}
REQUIRED = {
    "title": "Give the event a title.",
    "service": "Name the service or component it is about.",
    "type": f"Say what it is: {', '.join(word.name for word in words.Type if word)}.",
}
MAX_ITEMS = 100
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_ORIGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


@cache
def _values_of(known: type[IntEnum]) -> frozenset[int]:
    return frozenset(word.value for word in known)


class Faults:
    """Collects every fault before one error tells of all."""

    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}

    def add(self, field: str, sentence: str) -> None:
        self.errors.setdefault(field, []).append(sentence)

    def text(self, field: str, value: Any, longest: int) -> str:
        """The value if it is a text that can be kept; else "" and a fault."""
        if not isinstance(value, str) or ("\x00" in value if value.isascii() else _NO_TEXT.search(value)):
            self.add(field, f"{field} must be text without NUL characters or half surrogate pairs.")
        elif len(value) > longest:
            self.add(field, f"{field} is {len(value)} characters long; at most {longest} are kept.")
        else:
            return value
        return ""

    def texts(self, field: str, values: Any, longest: int = 200) -> list[str]:
        if not isinstance(values, list | tuple) or len(values) > MAX_ITEMS:
            self.add(field, f"{field} must be a list of at most {MAX_ITEMS} texts.")
            return []
        return [self.text(f"{field}[{index}]", value, longest) for index, value in enumerate(values)]

    def word(self, field: str, value: Any, known: type[IntEnum]) -> int:
        if isinstance(value, int) and value in _values_of(known):
            return int(value)
        self.add(field, f"{value!r} is not a valid value for {field}.")
        return 0

    def stop(self) -> None:
        if self.errors:
            raise InvalidInput(self.errors)


def clean_content(content: Content, *, complete: bool) -> dict[str, Any]:
    """The columns of `content`, cleaned; InvalidInput with every fault.

    `complete`: what a new event needs must be there; otherwise only what is there is checked.
    """
    faults = Faults()
    clean: dict[str, Any] = {}
    for column, value in content.items():
        clean[column] = _CLEANERS[column](faults, value)
    for column, sentence in REQUIRED.items():
        if clean.get(column):
            continue
        wire = TEXTS[column][0] if column in TEXTS else ENUMS[column][0]
        if complete if column not in clean else wire not in faults.errors:
            faults.add(wire, f"{wire} is required. {sentence}")
    if (link := clean.get("pull_request_link")) and _ORIGIN.match(link) and not link.startswith(("https:", "http:")):
        faults.add("links.pullRequestLink", "links.pullRequestLink must begin with https:// or http://.")
    faults.stop()
    return clean


Cleaner = Callable[[Faults, Any], Any]


def _text(wire: str, longest: int) -> Cleaner:
    return lambda faults, value: faults.text(wire, value, longest).strip()


def _word(wire: str, known: type[IntEnum]) -> Cleaner:
    return lambda faults, value: faults.word(wire, value, known)


def _texts(wire: str) -> Cleaner:
    return lambda faults, value: faults.texts(wire, value)


def _time(wire: str) -> Cleaner:
    def clean(faults: Faults, value: Any) -> Any:
        if value is not None and not isinstance(value, dt.datetime):
            faults.add(wire, f"{wire} must be a time with a zone, such as 2024-01-15T10:00:00Z.")
        return value

    return clean


def _impact(faults: Faults, value: Any) -> Any:
    if value is not True and value not in range(words.MAX_IMPACT + 1):
        faults.add("attributes.impact", f"attributes.impact must be true, false or 0 to {words.MAX_IMPACT}.")
        return 0
    return value if value is True else int(value)


_CLEANERS: dict[str, Cleaner] = {
    **{column: _text(wire, longest) for column, (wire, longest) in TEXTS.items()},
    "message": lambda faults, value: faults.text("attributes.message", value, TEXTS["message"][1]),
    **{column: _word(wire, known) for column, (wire, known) in ENUMS.items()},
    **{column: _texts(wire) for column, wire in LISTS.items()},
    **{column: _time(wire) for column, wire in TIMES.items()},
    "impact": _impact,
    "related_id": lambda faults, value: parse_id(value) if value else None,
    "notification": lambda faults, value: bool(value),
}


def parse_id(value: Any) -> uuid.UUID | str:
    """A UUID if it reads as one; otherwise the text itself, which may be a Slack id."""
    if isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(value) if len(value) in (32, 36) else value
    except (ValueError, TypeError):
        return str(value)


def check_dates(event: Event) -> None:
    """InvalidInput when it ends before it starts."""
    if event.started_at and event.ended_at and event.ended_at < event.started_at:
        raise InvalidInput({"attributes.endDate": ["attributes.endDate lies before attributes.startDate."]})


def measure(event: Event, moment: dt.datetime) -> None:
    """Set what follows from the dates and the status: when it happened, and how long an ended one took."""
    event.happened_at = event.started_at or event.created_at
    if event.status in words.ENDED:
        begun = event.started_at or event.created_at
        event.duration = max((event.ended_at or moment) - begun, dt.timedelta(0))
