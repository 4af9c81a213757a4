"""Events for coordinators: the facts they act on, in the order of the log, gap-free, with what was dealt with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import tenants_where
from core.errors import InvalidInput
from events.models import DomainEvent
from tickets.models import ConsumerPosition, EventMark, Ticket
from tickets.models.projects import tenant_rule

COORDINATOR = "coordinator"
MAX_PAGE = 500

# Every fact of tickets, workers and projects, with its name on the wire; those of the original design keep its names.
EVENT_NAMES = {
    "ticket.opened": "ticket_created",
    "ticket.edited": "ticket_updated",
    "ticket.commented": "ticket_commented",
    "ticket.linked": "ticket_linked",
    "ticket.unlinked": "ticket_unlinked",
    "ticket.dependency_added": "ticket_dependency_added",
    "ticket.dependency_removed": "ticket_dependency_removed",
    "ticket.started": "ticket_started",
    "ticket.review_requested": "ticket_review_requested",
    "ticket.reviewed": "ticket_reviewed",
    "ticket.testing_started": "ticket_testing_started",
    "ticket.approval_requested": "ticket_approval_requested",
    "ticket.gate_reached": "ticket_gate_reached",
    "ticket.approved": "ticket_approved",
    "ticket.declined": "ticket_declined",
    "ticket.resolved": "ticket_resolved",
    "ticket.closed": "ticket_closed",
    "ticket.reopened": "ticket_reopened",
    "ticket.overdue": "ticket_overdue",
    "ticket.stage_queued": "task_assigned",
    "ticket.stage_claimed": "task_claimed",
    "ticket.stage_completed": "ticket_stage_completed",
    "ticket.stage_failed": "task_failed",
    "ticket.stage_exhausted": "ticket_needs_attention",
    "ticket.stage_released": "task_released",
    "ticket.stage_retried": "task_retried",
    "ticket.stage_returned": "ticket_stage_returned",
    "ticket.stage_lease_expired": "task_lease_expired",
    "worker.started": "worker_started",
    "worker.stopped": "worker_stopped",
    "project.changed": "project_changed",
}
FACT_TYPES = {name: fact for fact, name in EVENT_NAMES.items()}
# What a coordinator acts on; the rest is history that a ticket's page shows.
COORDINATOR_FACTS = (
    "ticket.opened",
    "ticket.stage_completed",
    "ticket.stage_returned",
    "ticket.stage_exhausted",
    "ticket.stage_lease_expired",
    "ticket.approval_requested",
    "ticket.gate_reached",
    "ticket.approved",
    "ticket.declined",
    "ticket.resolved",
    "ticket.closed",
    "ticket.reopened",
    "worker.stopped",
)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events in order; `cursor` is where the next read continues, whether or not there was something."""

    events: list[DomainEvent]
    cursor: int
    more: bool


def visible_facts(user: User) -> QuerySet[DomainEvent]:
    """The facts of tickets and workers that `user` may know of."""
    facts = DomainEvent.objects.filter(
        audience_capability=Capability.VIEW_TICKETS.value, type__in=list(EVENT_NAMES)
    ).order_by("sequence")
    rule = tenant_rule(user, Capability.VIEW_TICKETS)
    return facts if rule is None else facts.filter(rule)


def with_marks(facts: QuerySet[DomainEvent], consumer: str) -> QuerySet[DomainEvent]:
    """Each with `processed`, whether this consumer dealt with it, and its `resolution`."""
    marks = _marks_of(consumer)
    return facts.annotate(processed=Exists(marks), resolution=Subquery(marks.values("resolution")[:1]))


def only_processed(facts: QuerySet[DomainEvent], consumer: str, processed: bool) -> QuerySet[DomainEvent]:
    """Only those the consumer dealt with, or only those it did not."""
    marked = Exists(_marks_of(consumer))
    return facts.filter(marked if processed else ~marked)


def _marks_of(consumer: str) -> QuerySet[EventMark]:
    return EventMark.objects.filter(consumer=consumer, fact_sequence=OuterRef("sequence"))


def get_events(
    *,
    user: User,
    processed: bool | None = None,
    consumer: str = COORDINATOR,
    types: Sequence[str] | None = None,
    ticket: Ticket | None = None,
    after: int = 0,
    limit: int = 100,
) -> EventPage:
    """Events in the order they happened, later than `after` (an event's id), at most `limit` (1 to 500).

    `processed` filters by whether `consumer` dealt with them; `types` are names of either kind (default: those a
    coordinator acts on; ["all"] for every one). The log has no gaps and no late comers, so a reader that goes on from
    `cursor` misses nothing, however many write. InvalidInput for an unknown type.
    """
    limit = max(1, min(limit, MAX_PAGE))
    wanted = fact_types(types)
    floor = after
    if processed is False and types is None:
        floor = max(after, _all_processed_up_to(user, consumer))
    facts = with_marks(visible_facts(user).filter(type__in=wanted, sequence__gt=floor), consumer)
    if ticket is not None:
        facts = facts.filter(tenant_id=ticket.tenant_id, subject_type="ticket", subject_id=ticket.key)
    if processed is not None:
        facts = only_processed(facts, consumer, processed)
    found = list(facts.select_related("tenant")[: limit + 1])
    page = found[:limit]
    return EventPage(page, page[-1].sequence if page else after, len(found) > limit)


def fact_types(types: Sequence[str] | None) -> list[str]:
    """Fact types by either of their names."""
    if types is None:
        return list(COORDINATOR_FACTS)
    if list(types) == ["all"]:
        return list(EVENT_NAMES)
    known = {name: FACT_TYPES.get(name, name) for name in types}
    unknown = [name for name, fact in known.items() if fact not in EVENT_NAMES]
    if unknown:
        raise InvalidInput({"event_type": [f"Unknown: {unknown[0][:60]}. Known: {', '.join(FACT_TYPES)}."]})
    return list(known.values())


def _all_processed_up_to(user: User, consumer: str) -> int:
    """Nothing before this place waits for the consumer in any tenant that `user` sees."""
    tenants = tenants_where(user, Capability.VIEW_TICKETS).values_list("pk", flat=True)
    positions = ConsumerPosition.objects.filter(consumer=consumer, tenant__in=tenants)
    by_tenant = dict(positions.values_list("tenant_id", "position"))
    return min((by_tenant.get(tenant, 0) for tenant in tenants), default=0)
