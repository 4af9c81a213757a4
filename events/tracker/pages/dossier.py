"""One event for its page: its changelog, what it hangs together with, and what may be done with it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import grants_of
from core.errors import NotAllowed
from core.looks import Look
from core.plugins import load_callable
from events.models import Event, EventChange, Lock
from events.tracker.changes import first_change
from events.tracker.pages.looks import CHANGES, PRIORITIES, STATUSES, UNFINISHED
from events.tracker.rights import check_can_record
from events.tracker.vocabulary import ChangeType, Priority, Status, Type

MOST_LINES, MOST_RELATED, MOST_NEAR = 100, 20, 8
NEAR = dt.timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Related:
    """Something of another app that the event names."""

    kind: str
    label: str
    title: str
    address: str
    state: Look | None = None


def related_to(user: User, event: Event) -> list[Related]:
    """What other apps know of the event, as far as `user` may see it; they are named in EVENT_RELATED."""
    return [one for path in settings.EVENT_RELATED for one in load_callable(path)(user, event)]


@dataclass(slots=True)
class Entry:
    """One line of the changelog, as the timeline component shows it."""

    what: str
    tone: str
    shape: str
    who: str
    at: Any
    said: str = ""
    detail: str = ""
    error: str = ""
    open: bool = False


def changelog_of(event: Event) -> tuple[list[Entry], bool]:
    """The newest lines, newest first, after which comes how it was recorded; and whether some between are left out."""
    lines = list(event.changes.order_by("-id")[: MOST_LINES + 1]) if event.updated_at != event.created_at else []
    return [_entry(line) for line in [*lines[:MOST_LINES], first_change(event)]], len(lines) > MOST_LINES


def _entry(line: EventChange) -> Entry:
    said = line.type == ChangeType.CHANGE_TYPE_UNSPECIFIED and line.comment and not line.field
    look = CHANGES.get(ChangeType.commented if said else line.type, Look("Noted", "grey", "info"))
    plain = line.comment in ("Event created", "Event updated") or line.type == ChangeType.created
    return Entry(
        what=look.label if line.type != ChangeType.updated or not line.field else f"{line.field.capitalize()} changed",
        tone=look.tone, shape=look.shape, who=line.user, at=line.at, said="" if plain else line.comment,
        detail=_detail(line),
    )  # fmt: skip


def _detail(line: EventChange) -> str:
    if not line.field or not (line.old_value or line.new_value):
        return ""
    old, new = _shown(line.field, line.old_value), _shown(line.field, line.new_value)
    return f"{old} → {new}" if old else new


def _shown(field: str, value: str) -> str:
    if field == "status" and value in Status.__members__:
        return STATUSES[Status[value]].label
    return PRIORITIES[Priority[value]].label if field == "priority" and value in Priority.__members__ else value


@dataclass(frozen=True, slots=True)
class Kin:
    """Another event, and how it hangs together with this one."""

    how: str
    event: Event


def kin_of(event: Event) -> list[Kin]:
    """What it follows from, what follows from it, and what else happened to its service around then."""
    seen = Event.objects.filter(tenant_id=event.tenant_id).exclude(pk=event.pk).defer("message")
    near = seen.filter(
        service=event.service, happened_at__range=(event.happened_at - NEAR, event.happened_at + NEAR)
    ).exclude(related=event)
    followers = seen.filter(related=event).newest_first()[:MOST_RELATED]
    both = list(followers.union(near.newest_first()[:MOST_NEAR]))
    both.sort(key=lambda one: (one.related_id != event.pk, -one.happened_at.timestamp()))
    kin = [Kin("Follows from", event.related)] if event.related else []
    return kin + [Kin(_how(other, event), other) for other in both if other.pk != event.related_id]


def _how(other: Event, event: Event) -> str:
    if other.related_id == event.pk:
        return "Led to"
    return "Before" if other.happened_at < event.happened_at else "After"


@dataclass(frozen=True, slots=True)
class Step:
    """A way to end an event: its word in the address, on the button, and the status it sets."""

    verb: str
    label: str
    status: Status
    title: str
    text: str
    said: str
    primary: bool = False


_SUCCEED = Step(
    "succeed", "Succeeded", Status.success, "Did it succeed?", "Its locks are released.", "finished well", True
)
_FAIL = Step("fail", "Failed", Status.failure, "Did it fail?", "Its locks are released. Say what went wrong.", "failed")
_FINISH = Step("finish", "Done", Status.done, "Is it done?", "Its locks are released.", "done", True)
_CLOSE = Step(
    "close", "Close", Status.close, "Is it over?", "It ends now unless it says when it ended.", "closed", True
)
_REOPEN = Step("reopen", "Reopen", Status.open, "Is it back?", "It counts as open again.", "open again")
_BY_TYPE: dict[int, tuple[Step, ...]] = {
    Type.deployment: (_SUCCEED, _FAIL),
    Type.operation: (_FINISH, _FAIL),
    Type.drift: (_FINISH,),
    Type.incident: (_CLOSE,),
    Type.rpa_usage: (_SUCCEED, _FAIL),
}
STEPS = {step.verb: step for step in (_SUCCEED, _FAIL, _FINISH, _CLOSE, _REOPEN)}


def steps_of(event: Event) -> tuple[Step, ...]:
    """How an event that goes on may end; an incident that is over may come back."""
    unsettled = event.status in UNFINISHED or not event.status or event.status == Status.error
    if unsettled or (event.type == Type.incident and event.status in (Status.warning, Status.start)):
        return _BY_TYPE[event.type]
    return (_REOPEN,) if event.type == Type.incident else ()


def locks_of(event: Event) -> list[Lock]:
    return list(Lock.objects.held().filter(event=event)[:5])


def may_record(user: User, tenant_id: int) -> bool:
    """Whether `user` may change events of the tenant."""
    try:
        check_can_record(user, tenant_id)
    except NotAllowed:
        return False
    return True


def may_record_somewhere(user: User) -> bool:
    """Whether there is any tenant whose events `user` may record."""
    grants = grants_of(user)
    held = (grants.everywhere, *grants.by_tenant.values())
    return any(Capability.RECORD_EVENTS in capabilities for capabilities in held)


def link_of(event: Event) -> str:
    """Its pull request, if that is an address a browser may go to."""
    return event.pull_request_link if event.pull_request_link.startswith(("https://", "http://")) else ""
