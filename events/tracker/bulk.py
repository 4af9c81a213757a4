"""Many events at once: all or none, with one fact for all; what another Tracker has recorded comes in by COPY."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, models, transaction

from accounts.models import Tenant
from core.clock import now
from core.errors import InvalidInput
from core.rows import insertion_of_many
from core.sql import run
from events.models import Event, EventChange
from events.services import transact_with
from events.tracker import locks
from events.tracker.content import Content
from events.tracker.facts import EVENT_BATCH, Told, about_event, fact_of, tell
from events.tracker.records import build_event, concerns_others, relate
from events.tracker.rights import Actor, check_can_record
from events.types import Subject

MAX_BATCH = 1000
MAX_FAULTS = 20


def record_events(*, tenant: Tenant, contents: Sequence[Content], by: Actor) -> list[Event]:
    """A new event for each of `contents`, all or none; leaves one `event.recorded` that names them all.

    Locks are taken as recording one by one would. NotAllowed, Conflict as there; InvalidInput names the faults of the
    first events that have any, as `events[3].attributes.type`.
    """
    check_can_record(by, tenant.pk)
    if not contents or len(contents) > MAX_BATCH:
        raise InvalidInput({"events": [f"A batch has 1 to {MAX_BATCH} events; this one has {len(contents)}."]})
    events = _build(tenant.pk, contents, by)
    if not connection.in_atomic_block and not any(concerns_others(event) for event in events):
        transact_with([fact_of(tenant.pk, by, _about(events))], after=[insertion_of_many(events)])
        return events
    with transaction.atomic():
        for event in events:
            relate(event)
        run(*insertion_of_many(events))
        told = [fact for event in events for fact in locks.take_for_event(event, before=None)]
        told.append(_about(events))
        tell(tenant.pk, by, told)
    return events


def _build(tenant_id: int, contents: Sequence[Content], by: Actor) -> list[Event]:
    events: list[Event] = []
    faults: dict[str, list[str]] = {}
    moment = now()
    for index, content in enumerate(contents):
        try:
            events.append(build_event(tenant_id, content, by=by, moment=moment))
        except InvalidInput as error:
            faults |= {f"events[{index}].{field}": sentences for field, sentences in error.errors.items()}
            if len(faults) >= MAX_FAULTS:
                break
    if faults:
        raise InvalidInput(faults)
    return events


def _about(events: Sequence[Event]) -> Told:
    if len(events) == 1:
        return about_event("event.recorded", events[0])
    services = sorted({event.service for event in events})
    data = {"ids": [str(event.id) for event in events], "count": len(events), "services": services[:20]}
    return Told("event.recorded", Subject(EVENT_BATCH, str(events[0].pk), f"{len(events)} events"), data)


def copy_rows(model: type[models.Model], rows: Iterable[models.Model], table: str = "") -> None:
    """Write rows by COPY: the fastest way in, within the running transaction."""
    columns = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in columns)
    attributes = [field.attname for field in columns]
    target = connection.ops.quote_name(table or model._meta.db_table)
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([getattr(row, name) for name in attributes])


def import_events(*, tenant: Tenant, events: Sequence[Event], changes: Sequence[EventChange], by: Actor) -> int:
    """Take over events that were recorded elsewhere, with their ids, dates and changelogs; how many were new.

    An event whose id is known already is left alone, so an import that was cut short may simply run again. Leaves one
    `event.imported` for all. Related events that are not there (yet) are not tied.
    """
    check_can_record(by, tenant.pk)
    with transaction.atomic():
        new = _insert_unknown(events)
        EventChange.objects.bulk_create([change for change in changes if change.event_id in new])
        if new:
            data = {"ids": sorted(str(pk) for pk in new), "count": len(new)}
            subject = Subject(EVENT_BATCH, str(next(iter(new))), f"{len(new)} events")
            tell(tenant.pk, by, [Told("event.imported", subject, data)])
    return len(new)


def _insert_unknown(events: Sequence[Event]) -> set[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE incoming (LIKE events_event INCLUDING DEFAULTS) ON COMMIT DROP")
        copy_rows(Event, events, table="incoming")
        cursor.execute(
            "UPDATE incoming SET related_id = NULL WHERE related_id IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM events_event e"
            " WHERE e.id = incoming.related_id AND e.tenant_id = incoming.tenant_id)"
            " AND NOT EXISTS (SELECT 1 FROM incoming i WHERE i.id = incoming.related_id)"
        )
        cursor.execute("INSERT INTO events_event SELECT * FROM incoming ON CONFLICT (id) DO NOTHING RETURNING id")
        new = {row[0] for row in cursor.fetchall()}
        cursor.execute("DROP TABLE incoming")
    return new


def as_imported(tenant: Tenant, content: Content, metadata: dict[str, Any], by: Actor) -> Event:
    """An event as another Tracker tells it: its id, date of record and duration are kept where they are given."""
    moment = metadata.get("created_at") or now()
    event = build_event(tenant.pk, content, by=by, moment=moment)
    if isinstance(event.related_id, str):
        event.related_id = None
    if metadata.get("id"):
        event.pk = uuid.UUID(metadata["id"])
    event.duration = metadata.get("duration") or event.duration
    return event
