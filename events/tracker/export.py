"""Events as a stream of lines, NDJSON or CSV, read page by page so that any number passes through little memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from events.models import Event
from events.tracker.search import Criteria, walk
from events.tracker.wire.messages import event_plain, message

FORMATS = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
COLUMNS = (
    "id", "createdAt", "title", "type", "status", "priority", "environment", "service", "source", "owner", "impactLevel",
    "startDate", "endDate", "duration", "ticket", "pullRequestLink", "relatedId", "slackId", "stakeHolders", "message",
    "tenant",
)  # fmt: skip
# What a spreadsheet would take for a formula when it begins a cell.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export_events(criteria: Criteria, format: str) -> Iterator[str]:
    """The lines of all events that match, in order; CSV begins with the names of its columns."""
    return _csv_lines(criteria) if format == "csv" else _json_lines(criteria)


def _json_lines(criteria: Criteria) -> Iterator[str]:
    codec = message("event", "Event")
    for events in walk(criteria):
        yield "".join(
            json.dumps(codec.render(event_plain(event)), separators=(",", ":"), ensure_ascii=False) + "\n"
            for event in events
        )


def _csv_lines(criteria: Criteria) -> Iterator[str]:
    yield _csv([COLUMNS])
    for events in walk(criteria):
        yield _csv([[safe_cell(cell) for cell in _cells(event)] for event in events])


def _cells(event: Event) -> list[Any]:
    body = message("event", "Event").render(event_plain(event))
    flat = body["attributes"] | body["links"] | body["metadata"] | {"title": body["title"]}
    flat["stakeHolders"] = ", ".join(flat["stakeHolders"])
    return [flat[name] for name in COLUMNS]


def _csv(rows: Any) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()


def safe_cell(value: Any) -> Any:
    """The cell as text that no spreadsheet runs: a leading quote before what would begin a formula."""
    if value is None:
        return ""
    if isinstance(value, str) and value.lstrip(" \n").startswith(_FORMULA):
        return f"'{value}"
    return value
