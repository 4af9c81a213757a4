"""The changelog of an event: which lines an update leaves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from core.clock import now
from events.models import Event, EventChange
from events.tracker import vocabulary as words
from events.tracker.vocabulary import ChangeType

MAX_CHANGES = 1000

# Column -> (what the line is called, its type, its name on the wire)
_TOLD = {
    "status": (ChangeType.status_changed, "status"),
    "ticket": (ChangeType.linked, "ticket"),
    "priority": (ChangeType.updated, "priority"),
    "title": (ChangeType.updated, "title"),
}


def first_change(event: Event) -> EventChange:
    """The line `created`, which is not kept but told from the event itself."""
    return EventChange(
        event=event, at=event.created_at, user=event.created_by, type=ChangeType.created, comment="Event created"
    )


def changed_columns(before: dict[str, Any], event: Event) -> list[str]:
    return [column for column, value in before.items() if getattr(event, column) != value]


def lines_of_update(before: dict[str, Any], event: Event, *, user: str, at: dt.datetime) -> list[EventChange]:
    """The lines for the columns that changed (`before` has their old values).

    Status, ticket, priority and title have lines of their own; a new owner and nothing else is an approval by that
    owner, as Tracker's Slack buttons have it; anything else is one line `Event updated`.
    """
    changed = changed_columns(before, event)
    lines = [
        EventChange(
            event=event, at=at, user=user, type=_TOLD[column][0], field=_TOLD[column][1],
            old_value=_shown(column, before[column]), new_value=_shown(column, getattr(event, column)),
        )
        for column in _TOLD
        if column in changed
    ]  # fmt: skip
    if lines:
        return lines
    if changed == ["owner"] and event.owner:
        return [
            EventChange(
                event=event, at=at, user=event.owner, type=ChangeType.approved, field="owner",
                old_value=before["owner"], new_value=event.owner, comment=f"Approved by {event.owner}",
            )
        ]  # fmt: skip
    return [EventChange(event=event, at=at, user=user, type=ChangeType.updated, comment="Event updated")]


def _shown(column: str, value: Any) -> str:
    if column == "status":
        return words.Status(value).name
    return words.Priority(value).name if column == "priority" else str(value)


def keep(lines: Iterable[EventChange]) -> None:
    """Append lines to the changelogs of written events, which are touched by it: an untouched event has no lines."""
    lines = EventChange.objects.bulk_create(list(lines))
    for event in {line.event for line in lines}:
        event.updated_at = max(now(), event.created_at + dt.timedelta(microseconds=1))
        Event.objects.filter(pk=event.pk).update(updated_at=event.updated_at)
