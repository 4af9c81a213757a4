"""The operations of LockService."""

from __future__ import annotations

from core.errors import NotFound
from events.models import Lock
from events.tracker import locks
from events.tracker.access import READ, WRITE, Caller
from events.tracker.operations.table import operation
from events.tracker.wire.codec import Plain
from events.tracker.wire.messages import lock_plain

MAX_LOCKS = 1000


@operation("lock", "CreateLock", WRITE)
def create_lock(caller: Caller, request: Plain) -> Plain:
    tenant = caller.writable(request.get("tenant", ""))
    return {"lock": lock_plain(locks.acquire_lock(tenant=tenant, content=request, by=caller.actor))}


@operation("lock", "GetLock", READ)
def get_lock(caller: Caller, request: Plain) -> Plain:
    return {"lock": lock_plain(_visible(caller, request))}


@operation("lock", "UpdateLock", WRITE)
def update_lock(caller: Caller, request: Plain) -> Plain:
    return {"lock": lock_plain(locks.update_lock(lock=_visible(caller, request), content=request, by=caller.actor))}


@operation("lock", "UnLock", WRITE)
def unlock(caller: Caller, request: Plain) -> Plain:
    lock = _visible(caller, request)
    locks.release_lock(lock=lock, by=caller.actor)
    return {"message": "lock deleted", "id": str(lock.pk), "count": 1}


@operation("lock", "ListLocks", READ)
def list_locks(caller: Caller, request: Plain) -> Plain:
    held = Lock.objects.held().filter(tenant_id__in=caller.readable(request.get("tenant", "")))
    if request.get("service"):
        held = held.filter(service=request["service"])
    if request.get("environment"):
        held = held.filter(environment__iexact=request["environment"])
    size = min(request.get("per_page") or MAX_LOCKS, MAX_LOCKS)
    start = (max(request.get("page") or 1, 1) - 1) * size
    found = list(held[start : start + size])
    total = held.count() if start or len(found) == size else len(found)
    return {"locks": [lock_plain(lock) for lock in found], "total_count": total}


def _visible(caller: Caller, request: Plain) -> Lock:
    lock = locks.find_lock(caller.actor, request.get("id") or "")
    if caller.tenant and lock.tenant_id not in caller.readable():
        raise NotFound(f"no lock found with id {str(lock.pk)!r}", details={"kind": "lock"})
    return lock
