"""What we left in another system: remembered, and found again."""

from __future__ import annotations

from typing import Any

from core.clock import now
from events.models import Connection, OutsideMark

COMMENT, CHANGE, PULL_COMMENT = "comment", "change", "pull comment"


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
