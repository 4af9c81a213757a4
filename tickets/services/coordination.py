"""Coordinators mark the events they have dealt with, each consumer for itself."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import grants_of
from core.clock import now
from core.errors import InvalidInput, NotAllowed, NotFound
from events.models import DomainEvent
from tickets.models import ConsumerPosition, EventMark
from tickets.selectors.events import COORDINATOR, COORDINATOR_FACTS, only_processed, visible_facts
from tickets.validation import clean_text, clean_worker_type

MAX_AT_ONCE = 1000


@transaction.atomic
def mark_events_processed(
    *, event_ids: Sequence[int], by: User, consumer: str = COORDINATOR, resolution: str = ""
) -> int:
    """Say that these events (by their place in the log) were dealt with, and how; the number newly marked.

    Marking twice changes nothing, the first resolution stands. NotFound when one does not exist for the caller (then
    none is marked), NotAllowed without the right to change or work on tickets of its tenant.
    """
    consumer = clean_worker_type("consumer", consumer)
    resolution = clean_text("resolution", resolution, longest=5000)
    wanted = sorted(set(event_ids))
    if len(wanted) > MAX_AT_ONCE:
        raise InvalidInput({"event_ids": [f"At most {MAX_AT_ONCE} at once."]})
    if not all(0 < number < 2**63 for number in wanted):
        raise InvalidInput({"event_ids": ["An event id is a positive number."]})
    tenants = _tenants_of(wanted, by)
    marks = [
        EventMark(consumer=consumer, fact_sequence=sequence, resolution=resolution, marked_by=by, marked_at=now())
        for sequence in wanted
    ]
    known = set(
        EventMark.objects.filter(consumer=consumer, fact_sequence__in=wanted).values_list("fact_sequence", flat=True)
    )
    EventMark.objects.bulk_create([mark for mark in marks if mark.fact_sequence not in known], ignore_conflicts=True)
    for tenant_id in sorted(tenants):
        _advance(consumer, tenant_id)
    return len(wanted) - len(known)


def _tenants_of(wanted: list[int], by: User) -> set[int]:
    """The tenants of the events, if the caller may mark all of them."""
    facts = dict(visible_facts(by).filter(sequence__in=wanted).values_list("sequence", "tenant_id"))
    missing = [sequence for sequence in wanted if sequence not in facts]
    if missing:
        raise NotFound(f"There is no event {missing[0]} that you may see. Nothing was marked.")
    grants = grants_of(by)
    for tenant_id in set(facts.values()):
        may = (Capability.EDIT_TICKETS, Capability.WORK_TICKETS)
        if not any(grants.allow(capability, tenant_id) for capability in may):
            raise NotAllowed("Your role may read events but not mark them.", code="not_authorized")
    return {tenant_id for tenant_id in facts.values() if tenant_id is not None}


def _advance(consumer: str, tenant_id: int) -> None:
    """Move the position up to just before the first event that is not dealt with, so that reads start there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tickets_consumerposition (consumer, tenant_id, position) VALUES (%s, %s, 0)"
            " ON CONFLICT (consumer, tenant_id) DO UPDATE SET position = tickets_consumerposition.position"
            " RETURNING position",
            [consumer, tenant_id],
        )
        position = cursor.fetchone()[0]
    ahead = DomainEvent.objects.filter(
        tenant_id=tenant_id, sequence__gt=position, type__in=COORDINATOR_FACTS
    ).order_by("sequence")  # fmt: skip
    first = only_processed(ahead, consumer, False).values_list("sequence", flat=True).first()
    last = first - 1 if first else ahead.values_list("sequence", flat=True).last()
    if last is not None and last > position:
        ConsumerPosition.objects.filter(consumer=consumer, tenant_id=tenant_id).update(position=last)
