"""Forgetting events that are older than the setting keeps."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import connection, transaction

from core.clock import now
from events.tracker.facts import EVENT_BATCH, Told, tell
from events.types import Subject

BATCH = 1000

_FIND = "SELECT id FROM events_event WHERE tenant_id = %s AND created_at < %s ORDER BY created_at LIMIT %s FOR UPDATE"
_CUT_TIES = (
    "UPDATE events_event SET related_id = NULL WHERE related_id = ANY(%s)",
    "UPDATE events_lock SET event_id = NULL WHERE event_id = ANY(%s)",
    "DELETE FROM events_eventchange WHERE event_id = ANY(%s)",
    "DELETE FROM events_event WHERE id = ANY(%s)",
)


def forget_old_events(*, keep: dt.timedelta | None = None) -> int:
    """Delete what was recorded longer ago than `keep` (default: the setting; nothing: keep all); how many.

    In batches of a thousand, each its own transaction with one fact `event.forgotten`, so that nobody waits for it.
    """
    keep = settings.TRACKER_RETENTION if keep is None else keep
    if not keep:
        return 0
    before = now() - keep
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_tenant")
        tenants = [row[0] for row in cursor.fetchall()]
    return sum(_forget(tenant, before) for tenant in tenants)


def _forget(tenant_id: int, before: dt.datetime) -> int:
    total = 0
    while count := _forget_batch(tenant_id, before):
        total += count
    return total


def _forget_batch(tenant_id: int, before: dt.datetime) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_FIND, [tenant_id, before, BATCH])
            ids = [row[0] for row in cursor.fetchall()]
            if not ids:
                return 0
            for statement in _CUT_TIES:
                cursor.execute(statement, [ids])
        subject = Subject(EVENT_BATCH, str(ids[0]), f"{len(ids)} events")
        data = {"count": len(ids), "recorded_before": before.isoformat(), "ids": [str(pk) for pk in ids]}
        tell(tenant_id, None, [Told("event.forgotten", subject, data)])
    return len(ids)
