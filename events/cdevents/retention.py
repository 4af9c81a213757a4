"""Forgetting what was received longer ago than the settings keep: events, links, deliveries, dead letters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Tenant
from core.clock import now
from events.cdevents.facts import tell_of_forgotten
from events.models import DeadLetter, InboundDelivery, InboundState, ReceivedEvent, ReceivedLink

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing: those of a tenant that may go once they are old, and what has to let go of them first."""

    name: str
    of_tenant: Callable[[Tenant], QuerySet[Any]]
    cut_ties: Callable[[list[int]], object] = bool


def _deliveries(tenant: Tenant) -> QuerySet[InboundDelivery]:
    """A dead letter keeps its delivery, which it is played again from."""
    kept = DeadLetter.objects.filter(delivery=OuterRef("pk"))
    return InboundDelivery.objects.filter(~Exists(kept), source__tenant=tenant).exclude(state=InboundState.QUEUED)


_LETTERS = Kind("dead letters", lambda tenant: DeadLetter.objects.filter(tenant=tenant))
_RECEIVED = (
    Kind(
        "events", lambda tenant: ReceivedEvent.objects.filter(tenant=tenant),
        lambda keys: DeadLetter.objects.filter(accepted__in=keys).update(accepted=None),
    ),
    Kind("links", lambda tenant: ReceivedLink.objects.filter(tenant=tenant)),
    Kind("deliveries", _deliveries),
)  # fmt: skip


def forget_old_received() -> int:
    """Delete what was received before RECEIVED_RETENTION and DEAD_LETTER_RETENTION ago (nothing: keep all); how many.

    In batches of a thousand, each its own transaction with one fact `received.forgotten`, so that nobody waits for it.
    """
    total = 0
    for tenant in Tenant.objects.order_by("pk"):
        for kinds, keep in (((_LETTERS,), settings.DEAD_LETTER_RETENTION), (_RECEIVED, settings.RECEIVED_RETENTION)):
            total += sum(_forget(tenant, kind, now() - keep) for kind in kinds if keep)
    return total


def _forget(tenant: Tenant, kind: Kind, before: dt.datetime) -> int:
    total = 0
    while count := _forget_batch(tenant, kind, before):
        total += count
    return total


@transaction.atomic
def _forget_batch(tenant: Tenant, kind: Kind, before: dt.datetime) -> int:
    # Numbers rise with time, so that nothing is read but what goes, and what comes next.
    oldest = kind.of_tenant(tenant).order_by("pk")
    keys = [pk for pk, at in oldest.values_list("pk", "received_at")[:BATCH] if at < before]
    if keys:
        kind.cut_ties(keys)
        oldest.model.objects.filter(pk__in=keys).delete()
        tell_of_forgotten(kind.name, len(keys), before, tenant=tenant)
    return len(keys)
