"""Reads of tickets: one by key, lists by filter, the board, the history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.contrib.postgres.search import SearchQuery
from django.db.models import Q, QuerySet

from accounts.models import Tenant, User
from accounts.roles import Capability
from core.errors import Conflict, InvalidInput, NotFound
from core.sql import build, columns, run, width
from events.models import DomainEvent
from tickets.models import Project, Ticket, TicketQuerySet
from tickets.models.projects import tenant_ids
from tickets.models.tickets import SEARCH_VECTOR
from tickets.states import CLOSED, UNCLOSED, State

MAX_PAGE = 200
BOARD_STATES = tuple(UNCLOSED)
COUNT_LIMIT = 1000


# Raw, because nearly every verb begins with it.
_WHOLE = (Ticket, Project, Tenant, User, Ticket)
_FIND = f"""
SELECT {columns(Ticket, "ticket")}, {columns(Project, "project")}, {columns(Tenant, "tenant")},
    {columns(User, "author")}, {columns(Ticket, "parent")}
FROM tickets_ticket AS ticket JOIN tickets_project AS project ON project.id = ticket.project_id
JOIN accounts_tenant AS tenant ON tenant.id = ticket.tenant_id JOIN accounts_user AS author ON author.id = ticket.author_id
LEFT JOIN tickets_ticket AS parent ON parent.id = ticket.parent_id
WHERE UPPER(ticket.key) = UPPER(%(key)s::text) AND (%(slug)s::text = '' OR tenant.slug = %(slug)s::text)
  AND (%(tenants)s::bigint[] IS NULL OR ticket.tenant_id = ANY(%(tenants)s::bigint[]))
ORDER BY ticket.id DESC LIMIT 20
"""  # noqa: S608 (our own columns)


def _read(row: Sequence[Any]) -> Ticket:
    """The ticket with what belongs to it, from the columns of all."""
    found: list[Any] = []
    for model in _WHOLE:
        values, row = row[: width(model)], row[width(model) :]
        found.append(build(model, values) if values[0] is not None else None)
    ticket, project, tenant, author, parent = found
    ticket.project, ticket.tenant, ticket.author, ticket.parent = project, tenant, author, parent
    return cast(Ticket, ticket)


def find_ticket(*, user: User, key: str, tenant: str = "") -> Ticket:
    """The ticket with this key (in any case) that `user` may see, with project and tenant.

    NotFound says the same for none and for hidden ones; Conflict (ambiguous_key) when several tenants have it and
    `tenant` (a slug) names none.
    """
    wanted = {"key": _plain(key), "slug": _plain(tenant), "tenants": tenant_ids(user, Capability.VIEW_TICKETS)}
    found = [_read(row) for row in run(_FIND, wanted)]
    if not found:
        raise NotFound(f"Ticket '{key[:100]}' not found")
    if len(found) > 1:
        slugs = sorted(ticket.tenant.slug for ticket in found)
        raise Conflict(
            f"Several tenants have a ticket {key}: {', '.join(slugs)}. Name the tenant.",
            code="ambiguous_key",
            field="tenant",
            details={"tenants": slugs},
        )
    return found[0]


def _plain(text: str) -> str:
    """PostgreSQL takes no NUL; nothing is called so."""
    return text.replace("\x00", "\ufffd")


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """What a list is narrowed to; empty means all. `status` is open or closed, `states` are exact."""

    project: str = ""
    tenant: str = ""
    status: str = ""
    states: tuple[str, ...] = ()
    stage: str = ""
    type: str = ""
    priority: int | None = None
    label: str = ""
    assignee: str = ""
    author: str = ""
    parent: str = ""
    blocked: bool | None = None
    due_before: dt.date | None = None
    q: str = ""


def list_tickets(*, user: User, narrowed: TicketFilter | None = None) -> TicketQuerySet:
    """Tickets that `user` may see, newest first, with what a row shows; slice it. InvalidInput for an unknown state."""
    narrowed = narrowed or TicketFilter()
    tickets = Ticket.objects.visible_to(user).filter(_rule(narrowed))
    if narrowed.blocked is not None:
        tickets = tickets.blocked(narrowed.blocked)
    if narrowed.q:
        tickets = _search(tickets, narrowed.q)
    return tickets.with_blocked().select_related("project", "tenant", "parent").prefetch_related("assignees")


def _rule(narrowed: TicketFilter) -> Q:
    _check_states(narrowed)
    rule = Q()
    if narrowed.status == "open":
        rule &= Q(state__in=UNCLOSED)
    if narrowed.status == "closed":
        rule &= Q(state__in=CLOSED)
    if narrowed.states:
        rule &= Q(state__in=narrowed.states)
    if narrowed.label:
        rule &= Q(labels__contains=[_plain(narrowed.label)])
    if narrowed.due_before:
        rule &= Q(due_date__lt=narrowed.due_before)
    if narrowed.priority is not None:
        rule &= Q(priority=narrowed.priority)
    for path, value in (
        ("project__key__iexact", narrowed.project),
        ("tenant__slug", narrowed.tenant),
        ("stage", narrowed.stage),
        ("type", narrowed.type),
        ("assignees__email__iexact", narrowed.assignee),
        ("author__email__iexact", narrowed.author),
        ("parent__key__iexact", narrowed.parent),
    ):
        if value:
            rule &= Q(**{path: _plain(value)})
    return rule


def _check_states(narrowed: TicketFilter) -> None:
    if narrowed.status not in {"", "open", "closed"}:
        raise InvalidInput({"status": ["Choose one of: open, closed."]})
    unknown = set(narrowed.states) - set(State.values)
    if unknown:
        raise InvalidInput({"state": [f"Choose one of: {', '.join(State.values)}."]})


def _search(tickets: TicketQuerySet, text: str) -> TicketQuerySet:
    """Words of key, title and description, as people type them into a search box, or the beginning of a key."""
    text = _plain(text)[:200]
    query = SearchQuery(text, config="simple", search_type="websearch")
    rule = Q(search=query)
    if " " not in text:
        rule |= Q(key__istartswith=text)
    return tickets.annotate(search=SEARCH_VECTOR).filter(rule)


def page_tickets(
    *, user: User, narrowed: TicketFilter | None = None, before: int | None = None, limit: int = 50
) -> tuple[list[Ticket], int | None]:
    """Up to `limit` (1 to 200) tickets older than the cursor `before`, and the cursor of the next page or None."""
    limit = max(1, min(limit, MAX_PAGE))
    tickets = list_tickets(user=user, narrowed=narrowed)
    if before is not None:
        tickets = tickets.filter(pk__lt=before)
    found = list(tickets.order_by("-id")[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


@dataclass(frozen=True, slots=True)
class Column:
    """One state of the board: its newest tickets, and how many there are, counted up to a thousand."""

    state: str
    label: str
    tickets: list[Ticket]
    count: int

    @property
    def count_text(self) -> str:
        return f"{COUNT_LIMIT}+" if self.count >= COUNT_LIMIT else str(self.count)


def board(*, user: User, narrowed: TicketFilter | None = None, per_column: int = 30) -> list[Column]:
    """The unclosed states as columns, in the order of a ticket's life; four queries however many tickets there are."""
    tickets = list_tickets(user=user, narrowed=narrowed).order_by("-id")
    states = [state for state in BOARD_STATES if not (narrowed and narrowed.states) or state in narrowed.states]
    keys = [tickets.filter(state=state).values("pk", "state")[:COUNT_LIMIT] for state in states]
    found: dict[str, list[int]] = {state: [] for state in states}
    union = keys[0].union(*keys[1:], all=True) if len(keys) > 1 else keys[0]
    for row in union:
        found[row["state"]].append(row["pk"])
    shown = {pk for pks in found.values() for pk in sorted(pks, reverse=True)[:per_column]}
    rows: dict[str, list[Ticket]] = {state: [] for state in states}
    for ticket in tickets.filter(pk__in=shown):
        rows.setdefault(ticket.state, []).append(ticket)
    return [Column(state, State(state).label, rows[state], len(found[state])) for state in states]


def ticket_history(*, user: User, ticket: Ticket) -> QuerySet[DomainEvent]:
    """The facts about the ticket that `user` may know of, oldest first."""
    facts = DomainEvent.objects.visible_to(user).about("ticket", ticket.key)
    return facts.filter(tenant_id=ticket.tenant_id).order_by("sequence")
