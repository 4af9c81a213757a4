"""What people type into the search box of tickets: words of key, title and description, or the beginning of a key."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.postgres.search import SearchQuery
from django.db.models import Q

from core.counts import Select
from tickets.models import TicketQuerySet
from tickets.models.tickets import SEARCH_VECTOR

LONGEST = 200
# As SEARCH_VECTOR has it; the wording of Django matters to the index only, which this is not for.
_TEXT = "to_tsvector('simple', {row}.key || ' ' || {row}.title || ' ' || {row}.description)"


def without_nul(text: str) -> str:
    """PostgreSQL takes no NUL; nothing is called so."""
    return text.replace("\x00", "\ufffd")


@dataclass(frozen=True, slots=True)
class Words:
    """A text that was typed; without a space it may be the beginning of a key."""

    typed: str

    @classmethod
    def of(cls, text: str) -> Words:
        """Nobody needs more than so much."""
        return cls(without_nul(text)[:LONGEST])

    @property
    def may_begin_a_key(self) -> bool:
        return " " not in self.typed

    def among(self, tickets: TicketQuerySet) -> TicketQuerySet:
        """Those of the tickets that have them, by the indexes."""
        rule = Q(search=SearchQuery(self.typed, config="simple", search_type="websearch"))
        if self.may_begin_a_key:
            rule |= Q(key__istartswith=self.typed)
        return tickets.alias(search=SEARCH_VECTOR).filter(rule)

    def condition(self, row: str) -> Select:
        """The same as a condition on one row, which is read and looked at whatever indexes there are."""
        text = f"({_TEXT.format(row=row)} @@ websearch_to_tsquery('simple', %s))"
        if not self.may_begin_a_key:
            return text, [self.typed]
        return f"({text} OR starts_with(upper({row}.key), upper(%s)))", [self.typed, self.typed]
