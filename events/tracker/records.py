"""Verbs on events: record, change, delete, comment, tie to a Slack message."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from accounts.models import Tenant
from accounts.roles import Capability
from core.clock import now
from core.errors import Conflict, InvalidInput, NotFound, StaleState
from core.rows import insert_rows, insertion_of, insertion_of_many, new_row
from core.sql import Statement
from events.models import DomainEvent, Event, EventChange
from events.services import transact_with
from events.tracker import changes, locks
from events.tracker import vocabulary as words
from events.tracker.content import Content, Faults, check_dates, clean_content, measure, parse_id
from events.tracker.facts import Told, about_event, fact_of, tell
from events.tracker.ids import new_id
from events.tracker.rights import Actor, check_can_record, label_of, where_open


def find_event(actor: Actor, key: Any, *, joined: tuple[str, ...] = ()) -> Event:
    """The event with this id, or the newest with this Slack id, where `actor` may look; else NotFound.

    What is `joined` is read with it.
    """
    key = parse_id(key)
    visible = Event.objects.filter(**where_open(actor, Capability.VIEW_EVENTS))
    if joined:
        visible = visible.select_related(*joined)
    rule: dict[str, Any] = {"slack_id": key} if isinstance(key, str) else {"pk": key}
    event = visible.filter(**rule).newest_first().first() if key and "\x00" not in str(key) else None
    if event is None:
        raise NotFound(f"no event found with id {str(key)[:100]!r}", details={"kind": "event"})
    return event


def record_event(*, tenant: Tenant, content: Content, by: Actor) -> Event:
    """A new event; leaves `event.recorded`, and takes the lock of a starting deployment or operation where that is set.

    NotAllowed without the right, InvalidInput with every fault, Conflict when the service is locked and locks are
    enforced.
    """
    event = new_event(tenant=tenant, content=content, by=by)
    if not connection.in_atomic_block and not concerns_others(event):
        write_events([event], [fact_of_recording(event, by)])
        return event
    with transaction.atomic():
        relate(event)
        insert_rows([event])
        told = locks.take_for_event(event, before=None)
        told.append(about_event("event.recorded", event))
        tell(tenant.pk, by, told)
    return event


def new_event(*, tenant: Tenant, content: Content, by: Actor) -> Event:
    """An event that is not yet written; NotAllowed and InvalidInput as recording it."""
    check_can_record(by, tenant.pk)
    return build_event(tenant.pk, content, by=by, moment=now())


def fact_of_recording(event: Event, by: Actor) -> DomainEvent:
    """What the fact log will be told of a new event."""
    return fact_of(event.tenant_id, by, about_event("event.recorded", event))


def write_events(events: Sequence[Event], facts: Sequence[DomainEvent], after: Sequence[Statement] = ()) -> None:
    """Write new events that concern no others, and what the log is told, in a transaction of their own.

    The statements that they come `after` are a part of it.
    """
    insertion = insertion_of(events) if len(events) == 1 else insertion_of_many(events)
    transact_with(facts, after=[*after, insertion])


def concerns_others(event: Event) -> bool:
    """Whether another event or a lock has to be looked at before this one is written."""
    return event.related_id is not None or locks.may_take(event)


def build_event(tenant_id: int, content: Content, *, by: Actor, moment: dt.datetime) -> Event:
    """An event that is not yet written, its content cleaned; InvalidInput with every fault."""
    clean = clean_content(content, complete=True)
    clean |= {
        "impact": int(clean.get("impact", 0)),
        "id": new_id(),
        "tenant_id": tenant_id,
        "created_at": moment,
        "updated_at": moment,
        "created_by": clean.get("owner") or label_of(by),
    }
    event = new_row(Event, clean)
    check_dates(event)
    measure(event, moment)
    return event


def relate(event: Event) -> None:
    """Make sure the related event exists in the same tenant; a follower lasts since its forerunner was recorded."""
    if event.related_id is None:
        return
    key = event.related_id
    rule: dict[str, Any] = {"slack_id": key} if isinstance(key, str) else {"pk": key}
    found = Event.objects.filter(tenant_id=event.tenant_id, **rule).values_list("pk", "created_at").first()
    if found is None:
        raise InvalidInput({"attributes.relatedId": [f"no event found with id {str(key)[:100]!r} to relate to"]})
    if found[0] == event.pk:
        raise InvalidInput({"attributes.relatedId": ["An event cannot be related to itself."]})
    event.related_id = found[0]
    if event._state.adding and event.duration is None:
        event.duration = max(event.created_at - found[1], dt.timedelta(0))


def update_event(*, event: Event, content: Content, by: Actor, seen: dt.datetime | None = None) -> Event:
    """Set the columns that `content` has, keep the others; leaves changelog lines and `event.updated`.

    Success, failure and done release the locks of the event; starting takes one, as recording does. Changing nothing
    leaves nothing. NotAllowed, InvalidInput, Conflict as recording; NotFound when it was deleted meanwhile; StaleState
    when it changed after `seen`, the `updated_at` that the writer knows.
    """
    check_can_record(by, event.tenant_id)
    clean = clean_content(content, complete=False)
    moment = now()
    with transaction.atomic():
        event = hold(event)
        if seen is not None and event.updated_at != seen:
            raise StaleState(
                "Someone changed this event in the meantime. Compare with what it says now, then save again."
            )
        if clean.get("impact") is True:
            clean["impact"] = event.impact or 1
        before = {column: getattr(event, column) for column in clean}
        for column, value in clean.items():
            setattr(event, column, value)
        if event.related_id != before.get("related_id", event.related_id):
            relate(event)
        check_dates(event)
        measure(event, moment)
        changed = changes.changed_columns(before, event)
        if not changed:
            return event
        lines = changes.lines_of_update(before, event, user=event.owner or label_of(by), at=moment)
        told = locks.follow_event(event, before)
        add_lines(event, lines)
        event.save(update_fields=[*changed, "happened_at", "duration"])
        told.append(about_event("event.updated", event, changed=changed, before=_plain(before, changed)))
        tell(event.tenant_id, by, told)
    return event


def finish_event(*, event: Event, status: int, by: Actor, comment: str = "", seen: dt.datetime | None = None) -> Event:
    """End it with this status, now unless it says when already, and a last word in its changelog; as update_event."""
    content: dict[str, Any] = {"status": status}
    with transaction.atomic():
        event = hold(event)
        if event.ended_at is None and event.happened_at <= now():
            content["ended_at"] = now()
        done = update_event(event=event, content=content, by=by, seen=seen)
        if comment.strip():
            entry = {"comment": comment.strip(), "change_type": words.ChangeType.commented}
            done = add_change(event=done, entry=entry, by=by)
    return done


def _plain(before: dict[str, Any], changed: list[str]) -> dict[str, Any]:
    """The old values of short columns, as a fact keeps them."""
    kept: dict[str, Any] = {}
    for column in changed:
        if column == "status":
            kept[column] = words.name_of(words.Status, before[column])
        elif isinstance(before[column], str) and column != "message":
            kept[column] = before[column]
    return kept


def hold(event: Event) -> Event:
    """The event as it is now, its row locked until the transaction ends; NotFound when it is gone."""
    held = Event.objects.select_for_update(of=("self",)).filter(pk=event.pk).first()
    if held is None:
        raise NotFound(f"no event found with id {str(event.pk)!r}", details={"kind": "event"})
    return held


def delete_event(*, event: Event, by: Actor) -> None:
    """Remove the event, its changelog and its locks; leaves `event.deleted`, which keeps what it was."""
    check_can_record(by, event.tenant_id)
    with transaction.atomic():
        event = hold(event)
        told = [locks.forget(lock, "its event was deleted") for lock in event.locks.select_for_update()]
        told.append(about_event("event.deleted", event))
        Event.objects.filter(related=event).update(related=None)
        EventChange.objects.filter(event=event).delete()
        Event.objects.filter(pk=event.pk)._raw_delete("default")
        tell(event.tenant_id, by, told)


def add_change(*, event: Event, entry: Content, by: Actor) -> Event:
    """A line that a person or a tool writes into the changelog; leaves `event.commented`.

    `entry` may have timestamp, user, change_type, field, old_value, new_value and comment; it needs a comment, a change
    type or a field, so that it says something.
    """
    check_can_record(by, event.tenant_id)
    line = _clean_entry(event, entry, by)
    with transaction.atomic():
        event = hold(event)
        add_lines(event, [line])
        name = words.ChangeType(line.type).name
        tell(event.tenant_id, by, [about_event("event.commented", event, line={"type": name, "comment": line.comment})])
    return event


def _clean_entry(event: Event, entry: Content, by: Actor) -> EventChange:
    faults = Faults()
    line = EventChange(
        event=event,
        at=entry.get("timestamp") or now(),
        user=faults.text("entry.user", entry.get("user") or "", 300) or label_of(by),
        type=faults.word("entry.changeType", entry.get("change_type") or 0, words.ChangeType),
        field=faults.text("entry.field", entry.get("field") or "", 200),
        old_value=faults.text("entry.oldValue", entry.get("old_value") or "", 10_000),
        new_value=faults.text("entry.newValue", entry.get("new_value") or "", 10_000),
        comment=faults.text("entry.comment", entry.get("comment") or "", 10_000),
    )
    if not (line.type or line.field or line.comment):
        faults.add("entry", "entry is empty. Give it a comment, a change type or a field.")
    faults.stop()
    return line


def add_lines(event: Event, lines: list[EventChange]) -> None:
    """Append to the changelog of an event whose row is held; WrongState-like refusal when it is full."""
    if event.changes.count() + len(lines) > changes.MAX_CHANGES:
        raise Conflict(
            f"The changelog of this event is full ({changes.MAX_CHANGES} lines). Record a new event related to it.",
            code="changelog_full",
        )
    changes.keep(lines)


def add_slack_id(*, event: Event, slack_id: str, by: Actor) -> Event:
    """Tie the event to a Slack message, once; leaves a line `linked` and `event.updated`. Conflict when it has one."""
    check_can_record(by, event.tenant_id)
    slack_id = clean_content({"slack_id": slack_id}, complete=False)["slack_id"]
    if not slack_id:
        raise InvalidInput({"slackId": ["slack_id is required"]})
    moment = now()
    with transaction.atomic():
        event = hold(event)
        if event.slack_id:
            raise Conflict(f"event already has a slack_id: {event.slack_id}", code="already_linked", field="slackId")
        event.slack_id = slack_id
        event.save(update_fields=["slack_id"])
        line = EventChange(
            event=event, at=moment, user=label_of(by), type=words.ChangeType.linked, field="slack_id",
            new_value=slack_id, comment="Slack message linked",
        )  # fmt: skip
        add_lines(event, [line])
        told: list[Told] = [about_event("event.updated", event, changed=["slack_id"])]
        tell(event.tenant_id, by, told)
    return event
