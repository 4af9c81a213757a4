"""Following the fact log into the graph: by a cursor of its own, in batches, each in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from core.clock import now
from core.plugins import load_callable
from events.chain.statements import Statement
from events.chain.writing import forget_everything, write_statements
from events.models import DomainEvent, LogFollower

log = structlog.get_logger(__name__)

NAME = "chain"
BATCH = 500
KEPT_FAULTS = 50

Source = Callable[[Sequence[DomainEvent]], Iterable[Statement]]


def follow_log(*, batches: int = 20) -> int:
    """Take in the facts that were not read yet, at most `batches` times 500; how many facts were read.

    One reader at a time: another one finds the cursor held and leaves. A fact that a source can make nothing of is noted
    as a fault and passed over, so that it holds nothing up.
    """
    total = 0
    for _ in range(batches):
        count = _follow_batch()
        total += count
        if count < BATCH:
            break
    return total


def lags() -> bool:
    """Whether there are facts that were not read yet."""
    head = DomainEvent.objects.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    return head > (LogFollower.objects.filter(pk=NAME).values_list("position", flat=True).first() or 0)


@transaction.atomic
def _follow_batch() -> int:
    LogFollower.objects.get_or_create(pk=NAME)
    cursor = LogFollower.objects.select_for_update(skip_locked=True).filter(pk=NAME).first()
    if cursor is None:
        return 0
    facts = list(DomainEvent.objects.filter(sequence__gt=cursor.position).order_by("sequence")[:BATCH])
    if not facts:
        return 0
    faults = take_in(facts)
    cursor.faults = [*faults, *cursor.faults][:KEPT_FAULTS]
    cursor.position, cursor.moved_at = facts[-1].sequence, now()
    cursor.save()
    return len(facts)


def take_in(facts: Sequence[DomainEvent]) -> list[dict[str, object]]:
    """Write what the sources read from these facts; what went wrong, fact by fact."""
    try:
        with transaction.atomic():
            write_statements(list(_read(facts)))
        return []
    except Exception as error:
        if len(facts) == 1:
            log.exception("chain.fact_not_understood", fact=facts[0].sequence)
            return [{"sequence": facts[0].sequence, "type": facts[0].type, "reason": str(error)[:500]}]
        if isinstance(error, DatabaseError) and not connection.is_usable():
            raise
    return [fault for fact in facts for fault in take_in([fact])]


def _read(facts: Sequence[DomainEvent]) -> Iterable[Statement]:
    by_subject: dict[str, list[DomainEvent]] = {}
    for fact in facts:
        if fact.tenant_id is not None and fact.subject_type in settings.CHAIN_SOURCES:
            by_subject.setdefault(fact.subject_type, []).append(fact)
    for subject_type, some in by_subject.items():
        source: Source = load_callable(settings.CHAIN_SOURCES[subject_type])
        yield from source(some)


@transaction.atomic
def start_over() -> None:
    """Forget the graph and read the log from its first fact; the reader of the log goes on from there."""
    LogFollower.objects.update_or_create(pk=NAME, defaults={"position": 0, "faults": [], "moved_at": now()})
    forget_everything()
