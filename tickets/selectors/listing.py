"""Pages of tickets, newest first: for programs, by state for the list, and as the columns of the board.

PostgreSQL would find a page of the newest that match by walking all tickets from the newest on, and where few match that
walk does not end. So what is few by its nature (what a text finds, what a person has) is read first, without an order,
off its own index; the rest is walked state by state on indexes that hold what the filters ask for, or as newest.py does it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from accounts.models import User
from accounts.roles import Capability
from core.counts import counts_up_to, run_together, select_of, spell_count
from tickets.models import Dependency, Ticket, TicketQuerySet
from tickets.models.projects import tenant_ids
from tickets.selectors.newest import ByState, newest_blocked, newest_of_label, newest_with_words
from tickets.selectors.tickets import TicketFilter, list_tickets
from tickets.selectors.words import Words, without_nul
from tickets.states import UNCLOSED, State

MAX_PAGE = 200
BOARD_STATES = tuple(UNCLOSED)
COUNT_LIMIT = 1000
RARE = 5000


def page_tickets(
    *, user: User, narrowed: TicketFilter | None = None, before: int | None = None, limit: int = 50, rare: int = RARE
) -> tuple[list[Ticket], int | None]:
    """Up to `limit` (1 to 200) tickets older than the cursor `before`, and the cursor of the next page or None."""
    limit = max(1, min(limit, MAX_PAGE))
    narrowed = narrowed or TicketFilter()
    tickets = list_tickets(user=user, narrowed=narrowed)
    if narrowed.blocked:
        return _page(_blocked(user, narrowed, before, limit + 1), before, limit)
    hits = _hits(tickets, narrowed, rare)
    if hits is None and narrowed.is_of_a_label:
        hits, _ = _newest(user, narrowed, tickets, narrowed.wanted_states, newest=limit + 1, limit=limit, before=before)
    elif hits is None and narrowed.q:
        (hits,) = _with_words(user, narrowed, [""], limit + 1, before)
    if hits is not None:
        return _page([pk for found in hits.values() for pk in found], before, limit)
    older = tickets if before is None else tickets.filter(pk__lt=before)
    return _cut(_rows(older.order_by("-id").values("pk")[: limit + 1]), limit)


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list, the cursor of the next, and how many are in each state, counted up to `limit`."""

    tickets: list[Ticket]
    following: int | None
    counts: dict[str, int]
    limit: int = COUNT_LIMIT


def list_by_state(
    *,
    user: User,
    narrowed: TicketFilter,
    states: Sequence[str] = (),
    before: int | None = None,
    limit: int = 50,
    rare: int = RARE,
) -> Listing:
    """The tickets in `states` (none: in every state), with the counts of every state; `narrowed` names no state."""
    tickets = list_tickets(user=user, narrowed=narrowed)
    chosen = states or State.values
    hits = _hits(tickets, narrowed, rare)
    if hits is None:
        most = COUNT_LIMIT if narrowed.is_plain else limit
        newest, counts = _newest(user, narrowed, tickets, State.values, newest=limit + 1, limit=most, before=before)
    else:
        newest, counts, most = hits, {state: len(found) for state, found in hits.items()}, COUNT_LIMIT
    ids = [pk for state in chosen for pk in newest.get(state, ())]
    return Listing(*_page(ids, before, limit), counts, most)


@dataclass(frozen=True, slots=True)
class Column:
    """One state of the board: its newest tickets, and how many there are, counted up to `limit`."""

    state: str
    label: str
    tickets: list[Ticket]
    count: int
    limit: int = COUNT_LIMIT

    @property
    def count_text(self) -> str:
        return spell_count(self.count, self.limit)


def board(*, user: User, narrowed: TicketFilter | None = None, per_column: int = 30, rare: int = RARE) -> list[Column]:
    """The unclosed states as columns, in the order of a ticket's life; as many queries however many tickets."""
    narrowed = narrowed or TicketFilter()
    states = [state for state in BOARD_STATES if not narrowed.states or state in narrowed.states]
    tickets = list_tickets(user=user, narrowed=replace(narrowed, states=tuple(states)))
    hits = _hits(tickets, narrowed, rare)
    if hits is None:
        most = COUNT_LIMIT if narrowed.is_plain else per_column
        newest, counts = _newest(user, narrowed, tickets, states, newest=per_column + 1, limit=most)
    else:
        newest, counts, most = hits, {state: len(found) for state, found in hits.items()}, COUNT_LIMIT
    shown = [pk for found in newest.values() for pk in sorted(found, reverse=True)[:per_column]]
    rows: dict[str, list[Ticket]] = {state: [] for state in states}
    for ticket in _rows(shown):
        rows.setdefault(ticket.state, []).append(ticket)
    return [Column(state, State(state).label, rows[state], counts.get(state, 0), most) for state in states]


def _hits(tickets: TicketQuerySet, narrowed: TicketFilter, rare: int) -> ByState | None:
    """The ids of all that match, by state, where they are few by nature; None when they are not, or turn out to be many."""
    if not narrowed.is_selective:
        return None
    most = rare
    if narrowed.q or narrowed.label:
        if _expected(tickets) > rare:
            return None
        most = 20 * rare  # the planner's word is kept, also where it was wrong: asking a third way costs more
    found = list(tickets.order_by().values_list("pk", "state")[: most + 1])
    if len(found) > most:
        return None
    hits: ByState = {}
    for pk, state in found:
        hits.setdefault(state, []).append(pk)
    return hits


def _expected(tickets: TicketQuerySet) -> int:
    """How many rows the planner expects, from its statistics of words and labels."""
    plan = tickets.order_by().values_list("pk").explain(format="json")
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"])


def _blocked(user: User, narrowed: TicketFilter, before: int | None, newest: int) -> list[int]:
    """The newest that wait for another one: few among all, and those that hold them are on indexes of their own."""
    if narrowed == TicketFilter(blocked=True):
        return newest_blocked(tenant_ids(user, Capability.VIEW_TICKETS), newest, before)
    those = list_tickets(user=user, narrowed=replace(narrowed, blocked=None)).order_by()
    holding = Dependency.objects.filter(holds=True, ticket__in=those.values("pk"))
    older = holding if before is None else holding.filter(ticket__lt=before)
    return list(older.order_by("-ticket_id").values_list("ticket_id", flat=True).distinct()[:newest])


def _newest(
    user: User, narrowed: TicketFilter, tickets: TicketQuerySet, states: Sequence[str], *, newest: int, limit: int,
    before: int | None = None,
) -> tuple[ByState, dict[str, int]]:  # fmt: skip
    """Up to `newest` of each state, older than `before`, and counts that stop at `limit` + 1: one query."""
    if narrowed.is_of_a_label:
        tenants = tenant_ids(user, Capability.VIEW_TICKETS)
        older, latest = newest_of_label(without_nul(narrowed.label), tenants, states, newest, before)
        return older, {state: len(ids) for state, ids in latest.items()}
    if narrowed.q:
        older, latest = _with_words(user, narrowed, states, newest, before, None)
        return older, {state: len(ids) for state, ids in latest.items()}
    return _walked(tickets, states, newest, limit, before)


def _with_words(
    user: User, narrowed: TicketFilter, states: Sequence[str], newest: int, *befores: int | None
) -> list[ByState]:
    those = list_tickets(user=user, narrowed=replace(narrowed, q=""))
    return newest_with_words(those, Words.of(narrowed.q), states, newest, befores=befores)


def _walked(
    tickets: TicketQuerySet, states: Sequence[str], newest: int, limit: int, before: int | None
) -> tuple[ByState, dict[str, int]]:
    older = tickets if before is None else tickets.filter(pk__lt=before)
    counted = limit >= newest or before is not None
    selects = counts_up_to(limit, {state: [tickets.filter(state=state)] for state in states}) if counted else []
    for state in states:
        text, values = select_of(older.filter(state=state).order_by("-id").values("pk")[:newest])
        if text:
            selects.append((f"SELECT %s, 'new', one.* FROM ({text}) AS one", [state, *values]))  # noqa: S608 (Django wrote it)
    found: ByState = {}
    counts: dict[str, int] = {}
    for state, kind, number in run_together(selects):
        if kind:
            found.setdefault(state, []).append(number)
        else:
            counts[state] = number
    return found, counts if counted else {state: len(ids) for state, ids in found.items()}


def _page(ids: Sequence[int], before: int | None, limit: int) -> tuple[list[Ticket], int | None]:
    wanted = sorted((pk for pk in ids if before is None or pk < before), reverse=True)[: limit + 1]
    return _cut(_rows(wanted), limit)


def _rows(ids: Any) -> list[Ticket]:
    """The tickets of these ids (or of a query for them), newest first, with what a row shows.

    In two steps: joined to a long list, `is_blocked` would be worked out for every ticket there is.
    """
    return list(Ticket.objects.filter(pk__in=ids).as_rows().order_by("-id")) if ids != [] else []


def _cut(found: list[Ticket], limit: int) -> tuple[list[Ticket], int | None]:
    """One row more than asked for tells whether there is a next page."""
    return found[:limit], found[limit - 1].pk if len(found) > limit else None
