"""Reads of tickets: one by key, all that fit a filter, the history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from django.db.models import Q, QuerySet

from accounts.models import Tenant, User
from accounts.roles import Capability
from core.errors import Conflict, InvalidInput, NotFound
from core.rows import build, columns, width
from core.sql import run
from events.models import DomainEvent
from tickets.models import Project, Ticket, TicketQuerySet
from tickets.models.projects import tenant_ids
from tickets.selectors.words import Words, without_nul
from tickets.states import CLOSED, UNCLOSED, State

MAX_NAMED = 300


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
LIMIT 20
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
    wanted = {
        "key": without_nul(key),
        "slug": without_nul(tenant),
        "tenants": tenant_ids(user, Capability.VIEW_TICKETS),
    }
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


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """What a list is narrowed to; empty means all. `status` is open or closed, `states` are exact.

    Whoever knows ids gives them (`project_ids`, `assigned_to`) in place of a key or an e-mail, and spares a query.
    """

    project: str = ""
    project_ids: tuple[int, ...] | None = None
    tenant: str = ""
    status: str = ""
    states: tuple[str, ...] = ()
    stage: str = ""
    type: str = ""
    priority: int | None = None
    label: str = ""
    assignee: str = ""
    assigned_to: int | None = None
    author: str = ""
    parent: str = ""
    blocked: bool | None = None
    due_before: dt.date | None = None
    q: str = ""

    @property
    def is_selective(self) -> bool:
        """Whether what matches is few by its nature, and has an index of its own."""
        return bool(self.q or self.assignee or self.assigned_to is not None or self.author or self.parent or self.label)

    @property
    def is_of_a_label(self) -> bool:
        """Whether nothing narrows it but a label and states."""
        return bool(self.label) and replace(self, states=(), status="") == TicketFilter(label=self.label)

    @property
    def wanted_states(self) -> list[str]:
        """The states it lets through, each of which is known."""
        open_or_closed = {"open": UNCLOSED, "closed": CLOSED}.get(self.status, tuple(State))
        return [state.value for state in open_or_closed if not self.states or state.value in self.states]

    @property
    def is_plain(self) -> bool:
        """Whether nothing narrows it but place and state, for which the indexes have counts at hand."""
        place = TicketFilter(project=self.project, project_ids=self.project_ids, tenant=self.tenant)
        return replace(self, states=(), status="") == place


def list_tickets(*, user: User, narrowed: TicketFilter | None = None) -> TicketQuerySet:
    """Tickets that `user` may see, with what a row shows; order and slice it. InvalidInput for an unknown state.

    Projects and people are looked up first: with their ids PostgreSQL knows how many tickets they have, and picks the
    index that fits.
    """
    narrowed = narrowed or TicketFilter()
    tickets = Ticket.objects.visible_to(user).filter(_rule(user, narrowed))
    if narrowed.blocked is not None:
        tickets = tickets.blocked(narrowed.blocked)
    if narrowed.q:
        tickets = Words.of(narrowed.q).among(tickets)
    return tickets.as_rows()


def _rule(user: User, narrowed: TicketFilter) -> Q:
    _check_states(narrowed)
    rule = Q()
    if narrowed.status:
        rule &= Q(state__in=UNCLOSED if narrowed.status == "open" else CLOSED)
    if narrowed.label:
        rule &= Q(labels__contains=[without_nul(narrowed.label)])
    for path, value in (
        ("state__in", narrowed.states),
        ("due_date__lt", narrowed.due_before),
        ("tenant__slug", without_nul(narrowed.tenant)),
        ("stage", without_nul(narrowed.stage)),
        ("type", without_nul(narrowed.type)),
        ("parent__key__iexact", without_nul(narrowed.parent)),
    ):
        if value:
            rule &= Q(**{path: value})
    if narrowed.priority is not None:
        rule &= Q(priority=narrowed.priority)
    return rule & _projects_and_people(user, narrowed)


def _projects_and_people(user: User, narrowed: TicketFilter) -> Q:
    rule = Q()
    if narrowed.project_ids is not None:
        rule &= Q(project__in=narrowed.project_ids)
    elif narrowed.project:
        rule &= Q(project__in=_ids(Project.objects.visible_to(user).filter(key__iexact=without_nul(narrowed.project))))
    if narrowed.assigned_to is not None:
        rule &= Q(assignees=narrowed.assigned_to)
    for path, email in (("assignees", narrowed.assignee), ("author", narrowed.author)):
        if email:
            rule &= Q(**{f"{path}__in": _ids(User.objects.filter(email__iexact=without_nul(email)))})
    return rule


def _ids(rows: QuerySet[Any]) -> list[int]:
    return list(rows.order_by().values_list("pk", flat=True)[:MAX_NAMED])


def _check_states(narrowed: TicketFilter) -> None:
    if narrowed.status not in {"", "open", "closed"}:
        raise InvalidInput({"status": ["Choose one of: open, closed."]})
    unknown = set(narrowed.states) - set(State.values)
    if unknown:
        raise InvalidInput({"state": [f"Choose one of: {', '.join(State.values)}."]})


def ticket_history(*, user: User, ticket: Ticket) -> QuerySet[DomainEvent]:
    """The facts about the ticket that `user` may know of, oldest first."""
    facts = DomainEvent.objects.visible_to(user).about("ticket", ticket.key)
    return facts.filter(tenant_id=ticket.tenant_id).order_by("sequence")
