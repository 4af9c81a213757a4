"""Dead letters: what was received and could not be accepted, kept with the reason."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from accounts.models import Tenant, User
from core.canonical import digest_of
from core.clock import now
from core.errors import DomainError
from events.cdevents.cloudevents import Item
from events.models import DeadLetter, InboundDelivery, LetterState

MAX_RAW = 256 * 1024


def bury(
    item: Item,
    refusal: DomainError,
    *,
    tenant: Tenant,
    by: User | None,
    delivery: InboundDelivery | None = None,
) -> DeadLetter:
    """Keep a refused item, in the caller's transaction; exactly the same one again only counts."""
    raw = item.raw[:MAX_RAW].replace("\x00", "\\x00")
    digest = digest_of([item.mode, raw, dict(item.attributes)])
    about = {
        "code": refusal.code, "reason": refusal.message[:2000].replace("\x00", "\ufffd"),
        "field": refusal.field[:300].replace("\x00", "\ufffd"),
    }  # fmt: skip
    letter, made = DeadLetter.objects.get_or_create(
        tenant=tenant,
        digest=digest,
        state=LetterState.WAITING,
        defaults={
            **about, **_names(item), "mode": item.mode, "raw": raw, "attributes": dict(item.attributes),
            "received_from": by, "received_at": now(), "delivery": delivery,
        },
    )  # fmt: skip
    if not made:
        DeadLetter.objects.filter(pk=letter.pk).update(times=F("times") + 1, **about)
    return letter


def _names(item: Item) -> dict[str, Any]:
    """What it says of itself, as far as that can be read."""
    context = item.body.get("context") if isinstance(item.body, dict) else None
    context = context if isinstance(context, dict) else item.attributes
    return {
        "source": _text(context.get("source"), 2000),
        "event_id": _text(context.get("id"), 500),
        "type": _text(context.get("type"), 200),
    }


def _text(value: Any, most: int) -> str:
    return value[:most].replace("\x00", "") if isinstance(value, str) else ""
