"""Reads of the fact log: history of things, and whether the chain still holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import holders_of
from events.models import GENESIS_HASH, DomainEvent


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The first place where the log no longer fits together, and what is wrong there."""

    sequence: int
    reason: str


def find_chain_break(
    facts: Iterator[DomainEvent] | None = None, after: tuple[int, str] = (0, GENESIS_HASH)
) -> ChainBreak | None:
    """The first fact whose number, link or content does not fit; None when the whole log holds.

    `facts` may be a stretch that follows the fact with the number and hash of `after`.
    """
    expected, previous_hash = after[0] + 1, after[1]
    for fact in facts if facts is not None else DomainEvent.objects.order_by("sequence").iterator(chunk_size=2000):
        if fact.sequence != expected:
            return ChainBreak(expected, f"fact {expected} is missing")
        if fact.previous_hash != previous_hash:
            return ChainBreak(fact.sequence, f"fact {fact.sequence} does not follow fact {fact.sequence - 1}")
        if fact.compute_hash() != fact.hash:
            return ChainBreak(fact.sequence, f"the content of fact {fact.sequence} was changed after it was written")
        previous_hash, expected = fact.hash, expected + 1
    return None


def subject_types() -> list[str]:
    """The kinds of things that the log tells of; one step in the index for each, however long the log is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE kinds (kind) AS ("
            " (SELECT subject_type FROM events_domainevent ORDER BY subject_type LIMIT 1) UNION ALL"
            " SELECT (SELECT subject_type FROM events_domainevent WHERE subject_type > kind"
            " ORDER BY subject_type LIMIT 1) FROM kinds WHERE kind IS NOT NULL"
            ") SELECT kind FROM kinds WHERE kind IS NOT NULL"
        )
        return [kind for (kind,) in cursor.fetchall()]


def may_know(user: User, fact: DomainEvent) -> bool:
    """Whether `user` belongs to the audience of `fact`, as DomainEvent.objects.visible_to says, by one query at most."""
    if user.is_superuser or user.pk in fact.audience_users:
        return True
    if not fact.audience_capability or fact.tenant is None:
        return DomainEvent.objects.visible_to(user).filter(pk=fact.pk).exists()
    return holders_of(Capability(fact.audience_capability), fact.tenant).filter(pk=user.pk).exists()
