"""Pages of tickets, newest first: for programs, by state for the list, and as the columns of the board.

PostgreSQL would find a page of the newest that have some words by walking all tickets from the newest on, and with a rare
word that walk does not end. So what a text finds is read first, without an order, off the text index: when it is little,
everything is known then, and when it is much, the walk is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from accounts.models import User
from core import sql
from tickets.models import Ticket, TicketQuerySet
from tickets.selectors.tickets import TicketFilter, list_tickets
from tickets.states import UNCLOSED, State

MAX_PAGE = 200
BOARD_STATES = tuple(UNCLOSED)
COUNT_LIMIT = 1000
RARE = 5000


def page_tickets(
    *, user: User, narrowed: TicketFilter | None = None, before: int | None = None, limit: int = 50
) -> tuple[list[Ticket], int | None]:
    """Up to `limit` (1 to 200) tickets older than the cursor `before`, and the cursor of the next page or None."""
    limit = max(1, min(limit, MAX_PAGE))
    narrowed = narrowed or TicketFilter()
    tickets = list_tickets(user=user, narrowed=narrowed)
    return _page(user, tickets, _hits(tickets, narrowed), before, limit)


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list, the cursor of the next, and how many are in each state; None when that is too many to count."""

    tickets: list[Ticket]
    following: int | None
    counts: dict[str, int] | None


def list_by_state(
    *, user: User, narrowed: TicketFilter, states: Sequence[str] = (), before: int | None = None, limit: int = 50
) -> Listing:
    """The tickets in `states` (none: in every state); `narrowed` names none. Counts stop at 1,000."""
    tickets = list_tickets(user=user, narrowed=narrowed)
    hits = _hits(tickets, narrowed)
    if hits is not None:
        counts = {one.value: len(hits.get(one, ())) for one in State}
    elif narrowed.q:
        counts = None
    else:
        by_state = {one.value: [tickets.filter(state=one)] for one in State}
        counts = {name: count for name, _, count in sql.run_together(sql.counts_up_to(COUNT_LIMIT, by_state))}
    if states:
        tickets = tickets.filter(state__in=states)
        hits = hits and {state: hits.get(state, []) for state in states}
    return Listing(*_page(user, tickets, hits, before, limit), counts)


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
        return sql.spell_count(self.count, self.limit)


def board(*, user: User, narrowed: TicketFilter | None = None, per_column: int = 30) -> list[Column]:
    """The unclosed states as columns, in the order of a ticket's life; as many queries however many tickets."""
    narrowed = narrowed or TicketFilter()
    states = [state for state in BOARD_STATES if not narrowed.states or state in narrowed.states]
    tickets = list_tickets(user=user, narrowed=replace(narrowed, states=tuple(states)))
    hits = _hits(tickets, narrowed)
    limit = per_column if narrowed.q and hits is None else COUNT_LIMIT
    newest, counts = _newest(tickets, states, per_column, limit) if hits is None else _sorted(hits, states, per_column)
    rows: dict[str, list[Ticket]] = {state: [] for state in states}
    for ticket in _rows(user, [pk for found in newest.values() for pk in found]):
        rows.setdefault(ticket.state, []).append(ticket)
    return [Column(state, State(state).label, rows[state], counts.get(state, 0), limit) for state in states]


Hits = dict[str, list[int]]


def _hits(tickets: TicketQuerySet, narrowed: TicketFilter) -> Hits | None:
    """The ids of all that the text finds, by state; None when there is no text, or it finds very much."""
    if not narrowed.q:
        return None
    found = list(tickets.order_by().values_list("pk", "state")[: RARE + 1])
    if len(found) > RARE:
        return None
    hits: Hits = {}
    for pk, state in found:
        hits.setdefault(state, []).append(pk)
    return hits


def _page(
    user: User, tickets: TicketQuerySet, hits: Hits | None, before: int | None, limit: int
) -> tuple[list[Ticket], int | None]:
    if hits is not None:
        ids = sorted((pk for found in hits.values() for pk in found if before is None or pk < before), reverse=True)
        found = _rows(user, ids[: limit + 1])
    else:
        older = tickets if before is None else tickets.filter(pk__lt=before)
        found = list(older.order_by("-id")[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


def _newest(
    tickets: TicketQuerySet, states: Sequence[str], per_column: int, limit: int
) -> tuple[dict[str, list[int]], dict[str, int]]:
    """The newest of each state, and counts that stop at `limit` + 1, in one query."""
    selects = sql.counts_up_to(limit, {state: [tickets.filter(state=state)] for state in states})
    for state in states:
        text, values = sql.select_of(tickets.filter(state=state).order_by("-id").values("pk")[:per_column])
        if text:
            selects.append((f"SELECT %s, 'new', one.* FROM ({text}) AS one", [state, *values]))  # noqa: S608 (Django wrote it)
    newest: dict[str, list[int]] = {}
    counts: dict[str, int] = {}
    for state, kind, number in sql.run_together(selects):
        if kind:
            newest.setdefault(state, []).append(number)
        else:
            counts[state] = number
    return newest, counts


def _sorted(hits: Hits, states: Sequence[str], per_column: int) -> tuple[dict[str, list[int]], dict[str, int]]:
    newest = {state: sorted(hits.get(state, ()), reverse=True)[:per_column] for state in states}
    return newest, {state: len(found) for state, found in hits.items()}


def _rows(user: User, ids: list[int]) -> list[Ticket]:
    return list(Ticket.objects.visible_to(user).filter(pk__in=ids).as_rows().order_by("-id")) if ids else []
