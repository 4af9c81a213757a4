"""Verbs on locks: acquire, change, release, sweep; and the locks that starting deployments take by themselves."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Tenant
from accounts.roles import Capability
from core.clock import now
from core.errors import Conflict, InvalidInput, NotFound
from events.models import Event, EventChange, Lock
from events.tracker import changes
from events.tracker import vocabulary as words
from events.tracker.content import Faults, parse_id
from events.tracker.facts import Told, about_lock, tell
from events.tracker.rights import Actor, check_can_record, label_of, open_tenants
from events.tracker.vocabulary import ChangeType

OFF, OBSERVE, ENFORCE = "off", "observe", "enforce"
SWEEP_BATCH = 200
_LONGEST = {"service": 200, "who": 300, "environment": 100, "resource": 100}


def find_lock(actor: Actor, key: Any, capability: Capability = Capability.VIEW_EVENTS) -> Lock:
    """The held lock with this id where `actor` may look; else NotFound."""
    key = parse_id(key)
    tenants = open_tenants(actor, capability)
    held = Lock.objects.held().filter(tenant_id__in=tenants)
    lock = held.filter(pk=key).first() if isinstance(key, uuid.UUID) else None
    if lock is None:
        raise NotFound(f"no lock found with id {str(key)[:100]!r}", details={"kind": "lock"})
    return lock


def acquire_lock(*, tenant: Tenant, content: Mapping[str, Any], by: Actor) -> Lock:
    """Hold a service (in an environment, for a resource) until released or `expires_at`; leaves `lock.acquired`.

    One holder at a time: Conflict names who has it. NotAllowed without the right, InvalidInput with every fault.
    """
    check_can_record(by, tenant.pk)
    clean = _clean(content, by)
    with transaction.atomic():
        lock = Lock(tenant=tenant, **clean)
        event = _event_of(lock)
        told = _insert(lock)
        _note(event, lock, ChangeType.locked, lock.who)
        tell(tenant.pk, by, told)
    return lock


def _clean(content: Mapping[str, Any], by: Actor) -> dict[str, Any]:
    faults = Faults()
    clean: dict[str, Any] = {
        name: faults.text(name, content.get(name) or "", longest).strip() for name, longest in _LONGEST.items()
    }
    if not clean["service"] and "service" not in faults.errors:
        faults.add("service", "service is required. Name what is locked.")
    clean["who"] = clean["who"] or label_of(by)
    clean["expires_at"] = content.get("expires_at")
    if clean["expires_at"] is not None and clean["expires_at"] <= now():
        faults.add("expiresAt", "expiresAt lies in the past. Leave it out to hold the lock until it is released.")
    if key := content.get("event_id"):
        clean["event_id"] = parse_id(key)
    faults.stop()
    return clean


def _event_of(lock: Lock) -> Event | None:
    """The event the lock is for, its row held; it must be of the lock's tenant."""
    if not lock.event_id:
        return None
    key: Any = lock.event_id
    rule = {"slack_id": key} if isinstance(key, str) else {"pk": key}
    event = Event.objects.select_for_update(of=("self",)).filter(tenant_id=lock.tenant_id, **rule).first()
    if event is None:
        raise InvalidInput({"eventId": [f"no event found with id {str(key)[:100]!r}"]})
    lock.event = event
    return event


def _insert(lock: Lock) -> list[Told]:
    """Write the lock; what lapsed on the same key goes first. Conflict when someone holds it."""
    told = []
    for lapsed in Lock.objects.on(*_key(lock)).lapsed().select_for_update():
        told.append(forget(lapsed, "it lapsed"))
    try:
        with transaction.atomic():
            lock.save(force_insert=True)
    except IntegrityError as error:
        if "lock_held_once" not in str(error):
            raise
        raise already_locked(lock) from error
    told.append(about_lock("lock.acquired", lock))
    return told


def _key(lock: Lock) -> tuple[int, str, str, str]:
    return lock.tenant_id, lock.service, lock.environment, lock.resource


def already_locked(lock: Lock, prefix: str = "") -> Conflict:
    """The refusal that existing clients look for in its words."""
    holder = Lock.objects.on(*_key(lock)).first()
    return Conflict(
        f"{prefix}service {lock.service} is already locked in {lock.environment or 'any environment'}. "
        "Please unlock it first",
        code="already_locked",
        field="service",
        details={"lock": str(holder.pk), "who": holder.who} if holder else {},
    )


def _note(event: Event | None, lock: Lock, type: ChangeType, user: str) -> None:
    if event is None:
        return
    place = f" in {lock.environment}" if lock.environment else ""
    changes.keep(
        [EventChange(event=event, user=user, type=type, field="lock", comment=f"{lock.service}{place} {type.name}")]
    )


def update_lock(*, lock: Lock, content: Mapping[str, Any], by: Actor) -> Lock:
    """Set the fields of `content` that are not empty; leaves `lock.changed`. Conflict when the new key is held."""
    check_can_record(by, lock.tenant_id)
    given = {name: value for name, value in content.items() if value not in (None, "")}
    with transaction.atomic():
        held = Lock.objects.select_for_update(of=("self",)).held().filter(pk=lock.pk).first()
        if held is None:
            raise NotFound(f"no lock found with id {str(lock.pk)!r}", details={"kind": "lock"})
        current = {name: getattr(held, name) for name in (*_LONGEST, "expires_at", "event_id")}
        wanted = _clean(current | given, by)
        for name, value in wanted.items():
            setattr(held, name, value)
        _event_of(held)
        told = [
            forget(lapsed, "it lapsed")
            for lapsed in Lock.objects.on(*_key(held)).exclude(pk=held.pk).lapsed().select_for_update()
        ]
        try:
            with transaction.atomic():
                held.save()
        except IntegrityError as error:
            raise already_locked(held) from error
        told.append(about_lock("lock.changed", held))
        tell(held.tenant_id, by, told)
    return held


def release_lock(*, lock: Lock, by: Actor) -> None:
    """Give the lock up; leaves `lock.released`. NotFound when someone else released it first."""
    check_can_record(by, lock.tenant_id)
    with transaction.atomic():
        held = Lock.objects.select_for_update(of=("self",)).filter(pk=lock.pk).first()
        if held is None:
            raise NotFound(f"no lock found with id {str(lock.pk)!r}", details={"kind": "lock"})
        _note(held.event, held, ChangeType.unlocked, label_of(by))
        tell(held.tenant_id, by, [forget(held, "")])


def forget(lock: Lock, why: str) -> Told:
    """Delete a lock whose row is held; the fact to tell: `lock.released`, or `lock.lapsed` for one whose time is over."""
    lapsed = lock.expires_at is not None and lock.expires_at <= now()
    fact = about_lock("lock.lapsed" if lapsed else "lock.released", lock, **({"why": why} if why else {}))
    Lock.objects.filter(pk=lock.pk).delete()
    return fact


def sweep_lapsed_locks() -> int:
    """Delete what lapsed; leaves `lock.lapsed` for each; how many."""
    with transaction.atomic():
        lapsed = list(
            Lock.objects.lapsed().order_by("expires_at").select_for_update(skip_locked=True, of=("self",))[:SWEEP_BATCH]
        )
        told = [(lock.tenant_id, forget(lock, "it lapsed")) for lock in lapsed]
        for tenant_id, fact in told:
            tell(tenant_id, None, [fact])
    return len(lapsed)


# Locks that events take and release


def may_take(event: Event) -> bool:
    """Whether a new event like this one takes a lock, or is refused or remarked upon because another holds it."""
    if settings.TRACKER_AUTO_LOCK == OFF or not event.environment:
        return False
    return event.status in words.RUNNING and event.type in words.TAKES_LOCKS


def take_for_event(event: Event, before: dict[str, Any] | None) -> list[Told]:
    """The facts of the lock that a starting deployment or operation takes, by the setting TRACKER_AUTO_LOCK.

    `enforce`: Conflict when someone holds it; `observe`: the event is recorded all the same, and says so in its
    changelog; `off`: nothing. Without an environment nothing is locked.
    """
    if not may_take(event):
        return []
    mode = settings.TRACKER_AUTO_LOCK
    if before is not None and event.locks.exists():
        return []
    lock = _lock_for(event)
    holder = Lock.objects.covering(*_key(lock)).held().first()
    if holder is None:
        try:
            told = _insert(lock)
        except Conflict:  # someone was quicker
            holder = Lock.objects.on(*_key(lock)).first()
        else:
            _note(event, lock, ChangeType.locked, lock.who)
            return told
    if mode == ENFORCE:
        verb = "create" if before is None else "update"
        raise already_locked(lock, f"cannot {verb} event: ")
    _observe(event, lock, holder)
    return []


def _lock_for(event: Event) -> Lock:
    lifetime: dt.timedelta | None = settings.TRACKER_LOCK_LIFETIME
    return Lock(
        tenant_id=event.tenant_id,
        service=event.service,
        environment=words.name_of(words.Environment, event.environment),
        resource=words.name_of(words.Type, event.type),
        who=event.owner or event.created_by,
        event=event,
        expires_at=now() + lifetime if lifetime else None,
    )


def _observe(event: Event, lock: Lock, holder: Lock | None) -> None:
    who = holder.who if holder else "someone"
    comment = f"Deployed while {lock.service} was locked in {lock.environment} by {who}"
    changes.keep([EventChange(event=event, user="system", type=ChangeType.commented, field="lock", comment=comment)])


def follow_event(event: Event, before: dict[str, Any]) -> list[Told]:
    """The facts of locks that an update of the event releases (it ended) or takes (it started)."""
    if "status" not in before or before["status"] == event.status:
        return []
    if event.status not in words.RELEASES_LOCKS:
        return take_for_event(event, before)
    told = []
    for lock in event.locks.select_for_update():
        _note(event, lock, ChangeType.unlocked, event.owner or "system")
        told.append(forget(lock, f"its event is {words.Status(event.status).name}"))
    return told
