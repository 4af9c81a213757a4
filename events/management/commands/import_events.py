"""Take over events from a file: NDJSON as our export writes it, or JSON as Tracker's own list answers it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Tenant
from core.clock import now
from core.context import acting_through
from core.errors import InvalidInput
from events.models import Event, EventChange
from events.tracker.bulk import as_imported, import_events
from events.tracker.vocabulary import ChangeType
from events.tracker.wire.messages import content_of, message

BATCH = 1000


class Command(BaseCommand):
    help = "Take over events from a file of Tracker's JSON. What is known already by its id is left alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="NDJSON, or one JSON document with a list `events`; - for standard input")
        parser.add_argument("--tenant", required=True, help="whose events they become")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = Tenant.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']!r}.")
        with acting_through("cli"), _open(options["file"]) as file:
            new, read = self.take_over(tenant, _items(file))
        self.stdout.write(f"{new} of {read} events were new and are recorded in {tenant}.")

    def take_over(self, tenant: Tenant, items: Iterator[tuple[int, Any]]) -> tuple[int, int]:
        new = read = 0
        while batch := list(islice(items, BATCH)):
            pairs = [_read(tenant, number, item) for number, item in batch]
            changes = [change for _, lines in pairs for change in lines]
            new += import_events(tenant=tenant, events=[event for event, _ in pairs], changes=changes, by=None)
            read += len(batch)
        return new, read


def _open(name: str) -> TextIO:
    try:
        return sys.stdin if name == "-" else Path(name).open(encoding="utf-8")
    except OSError as error:
        raise CommandError(str(error)) from error


def _items(file: TextIO) -> Iterator[tuple[int, Any]]:
    """Each event with the number of its line (or its place in the document)."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except ValueError:
            if number > 1:
                raise CommandError(f"Line {number} is no JSON.") from None
            yield from _items_of_document(line + file.read())
            return
        if isinstance(item, dict) and isinstance(item.get("events"), list):
            yield from enumerate(item["events"], 1)
        else:
            yield number, item


def _items_of_document(text: str) -> Iterator[tuple[int, Any]]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise CommandError(f"This is no JSON: {error}") from None
    yield from enumerate(document.get("events", []) if isinstance(document, dict) else document, 1)


def _read(tenant: Tenant, number: int, item: Any) -> tuple[Event, list[EventChange]]:
    try:
        plain = message("event", "Event").parse(item)
        metadata = plain.get("metadata") or {}
        content = content_of(plain | {"slack_id": metadata.get("slack_id", "")})
        event = as_imported(tenant, content, metadata, by=None)
    except (InvalidInput, ValueError) as error:
        raise CommandError(f"Event {number}: {error}") from error
    told = plain.get("changelog") or []
    lines = [line for line in told if line.get("change_type") != ChangeType.created]
    creators = [line["user"] for line in told if line.get("change_type") == ChangeType.created and line.get("user")]
    event.created_by = (creators or [event.created_by])[0][:300]
    changes = [
        EventChange(
            event=event, at=line.get("timestamp") or now(), user=line.get("user", "")[:300],
            type=line.get("change_type", 0), field=line.get("field", "")[:200], old_value=line.get("old_value", ""),
            new_value=line.get("new_value", ""), comment=line.get("comment", ""),
        )
        for line in lines
    ]  # fmt: skip
    event.updated_at = max([metadata.get("updated_at") or event.created_at, *(change.at for change in changes)])
    return event, changes
