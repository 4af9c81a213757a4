"""How many events match, in all and for each word of a facet: one query, which stops counting at a limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection

from events.models import Event
from events.tracker.pages.looks import ENVIRONMENTS, PRIORITIES, PRIORITY_WORDS, STATUSES, TYPES
from events.tracker.pages.wanted import FACETS, Wanted
from events.tracker.search import Criteria

# Each that is counted has to be looked at: enough to be exact where people work, and quick among millions.
LIMIT = 5_000
TEXT_LIMIT = 1_000
TITLES = {"type": "Type", "status": "Status", "environment": "Environment", "priority": "Priority"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of a facet, and how many events have it."""

    word: str
    label: str
    tone: str
    count: str
    chosen: bool
    address: str


@dataclass(frozen=True, slots=True)
class Facet:
    """One way to narrow what is found."""

    name: str
    title: str
    choices: list[Choice]


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted; `capped`: there are more than were counted."""

    total: int
    limit: int
    by_facet: dict[str, dict[int, int]]
    capped_facets: frozenset[str]

    @property
    def capped(self) -> bool:
        return self.total > self.limit

    @property
    def text(self) -> str:
        return f"{self.limit:,}+" if self.capped else f"{self.total:,}"


def count_facets(wanted: Wanted, criteria: Criteria) -> Counts:
    """A chosen facet is counted as if it were not chosen, so that its other words can be seen too."""
    limit = TEXT_LIMIT if wanted.text else LIMIT
    shared = [name for name in FACETS if name not in wanted.numbers]
    parts, values = [], []
    for names, narrowed in ((shared, criteria), *(([name], _without(criteria, name)) for name in wanted.numbers)):
        sql, params = _rows(narrowed, limit)
        columns = ", ".join(names)
        sets = ", ".join(["()", *(f"({name})" for name in names)])
        told = ", ".join(name if name in names else "NULL::smallint" for name in FACETS)
        parts.append(
            f"SELECT {told}, count(*), %s::text FROM ({sql}) AS found GROUP BY GROUPING SETS ({sets})"  # noqa: S608
            if columns
            else f"SELECT {told}, count(*), %s::text FROM ({sql}) AS found"  # noqa: S608 (Django wrote it)
        )
        values += ["" if narrowed is criteria else names[0], *params]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        return _gather(cursor.fetchall(), limit)


def _without(criteria: Criteria, facet: str) -> Criteria:
    return replace(criteria, exact={name: value for name, value in criteria.exact.items() if name != facet})


def _rows(criteria: Criteria, limit: int) -> tuple[str, tuple[Any, ...]]:
    events = criteria.narrow(Event.objects.filter(tenant_id__in=[*criteria.tenants, 0])).order_by()
    sql, params = events.values(*FACETS)[: limit + 1].query.sql_with_params()
    return sql, params


def _gather(rows: Iterable[tuple[Any, ...]], limit: int) -> Counts:
    total, capped = 0, set()
    by_facet: dict[str, dict[int, int]] = {name: {} for name in FACETS}
    for *told, count, alone in rows:
        facet = next((name for name, value in zip(FACETS, told, strict=True) if value is not None), "")
        if facet:
            by_facet[facet][told[list(FACETS).index(facet)]] = count
        elif not alone:
            total = count
        elif count > limit:
            capped.add(alone)
    if total > limit:
        capped |= set(FACETS)
    return Counts(total, limit, by_facet, frozenset(capped))


def facets_of(wanted: Wanted, counts: Counts) -> list[Facet]:
    """The facets with a choice for each word that some event has, and for the chosen one."""
    return [Facet(name, TITLES[name], _choices(name, wanted, counts)) for name in FACETS]


def _choices(name: str, wanted: Wanted, counts: Counts) -> list[Choice]:
    found, chosen = counts.by_facet[name], wanted.numbers.get(name, 0)
    mark = "+" if name in counts.capped_facets else ""
    return [
        Choice(
            word.name, *_look(name, word.value), f"{found.get(word.value, 0):,}{mark}", word.value == chosen,
            wanted.query(dates=True, **{name: None if word.value == chosen else word.name}),
        )
        for word in FACETS[name]
        if word and (word.value in found or word.value == chosen)
    ]  # fmt: skip


def _look(name: str, number: int) -> tuple[str, str]:
    if name == "environment":
        return ENVIRONMENTS[number], "grey"
    if name == "priority":
        return PRIORITY_WORDS[number], PRIORITIES[number].tone
    look = (TYPES if name == "type" else STATUSES)[number]
    return look.label, look.tone
