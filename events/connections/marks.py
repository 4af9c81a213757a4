"""What we left in another system: remembered, and found again."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings

from core.clock import now
from events.models import Connection, OutsideMark

COMMENT, CHANGE, PULL_COMMENT, DEPLOYMENT = "comment", "change", "pull comment", "deployment"
BATCH = 1000
# A step that an issue is about to take, and a way of several that is not at its end.
STEP, WALK = "step", "walk"


def remember(connection: Connection, kind: str, key: str, value: dict[str, Any] | None = None) -> None:
    """That we wrote it; the latest value holds."""
    OutsideMark.objects.update_or_create(
        connection=connection, kind=kind, key=key[:300], defaults={"value": value or {}, "made_at": now()}
    )


def recall(connection: Connection, kind: str, key: str) -> dict[str, Any] | None:
    """What was remembered; None when it is not ours."""
    found = OutsideMark.objects.filter(connection=connection, kind=kind, key=key[:300]).values_list("value", flat=True)
    value: dict[str, Any] | None = found.first()
    return value


def forget(connection: Connection, kind: str, key: str, *, since: dt.datetime | None = None) -> bool:
    """Whether it was remembered (at or after `since`); it no longer is."""
    found = OutsideMark.objects.filter(connection=connection, kind=kind, key=key[:300])
    if since is not None:
        found = found.filter(made_at__gte=since)
    return bool(found.delete()[0])


def forget_old_marks() -> int:
    """Delete what was neither made nor changed since OUTSIDE_MARK_RETENTION ago (nothing: keep all); how many.

    In batches of a thousand, so that nobody waits for it.
    """
    if not settings.OUTSIDE_MARK_RETENTION:
        return 0
    total, before = 0, now() - settings.OUTSIDE_MARK_RETENTION
    old = OutsideMark.objects.filter(made_at__lt=before).order_by("made_at")
    while keys := list(old.values_list("pk", flat=True)[:BATCH]):
        total += OutsideMark.objects.filter(pk__in=keys, made_at__lt=before).delete()[0]
    return total
