"""The tickets as board and list: filters as in the address, counts per state, and where each card may go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import QueryDict

from accounts.models import Membership, User
from accounts.roles import Capability
from accounts.selectors import grants_of, tenants_where
from core import sql
from tickets.models import Project, Ticket
from tickets.pages.looks import STATES, VERBS
from tickets.selectors import TicketFilter, list_projects, list_tickets
from tickets.selectors.tickets import COUNT_LIMIT
from tickets.states import DECISIONS, MOVES, TICKET, UNCLOSED, State
from tickets.types import Priority, TicketType


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the page is narrowed to; every part is optional and comes from the address."""

    project: str = ""
    type: str = ""
    priority: str = ""
    assignee: str = ""
    label: str = ""
    text: str = ""
    state: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Wanted:
        """What cannot be is left out, so that an old or mistyped address still shows something."""

        def clean(name: str) -> str:
            return query.get(name, "").replace("\x00", "").strip()[:200]

        return cls(
            project=clean("project"),
            type=_one_of(clean("type"), TicketType.values),
            priority=_one_of(clean("priority"), Priority.words()),
            assignee=clean("assignee"),
            label=clean("label"),
            text=clean("q"),
            state=_one_of(clean("state"), [*State.values, "closed"]),
        )

    @property
    def narrows(self) -> bool:
        """Whether anything but the state is narrowed."""
        return any((self.project, self.type, self.priority, self.assignee, self.label, self.text))

    def as_filter(self, user: User, *, state: str = "") -> TicketFilter:
        """For the selectors."""
        return TicketFilter(
            project=self.project,
            type=self.type,
            priority=Priority[self.priority.upper()] if self.priority else None,
            assignee=user.email if self.assignee.lower() == "me" else self.assignee,
            label=self.label,
            q=self.text,
            states=(state,) if state else (),
        )


def _one_of(value: str, known: Iterable[str]) -> str:
    return value if value in known else ""


@dataclass(slots=True)
class Card:
    """One ticket as board and list show it, with the states it may be moved to."""

    ticket: Ticket
    may_edit: bool
    may_decide: bool

    @property
    def moves(self) -> list[dict[str, str]]:
        """Verb, label and target state of each step that may be tried; a gate is passed on the ticket's own page."""
        return [
            {"verb": verb, "slug": verb.replace("_", "-"), "label": VERBS[verb], "state": edge.target}
            for verb in MOVES
            if (edge := TICKET.find(self.ticket.state, verb))
            and (self.may_decide if verb in DECISIONS else self.may_edit)
            and not (verb in DECISIONS and self.ticket.at_gate)
        ]

    @property
    def targets(self) -> str:
        """For the script that lets the card be dragged: `state:verb`, blank, and so on."""
        return " ".join(f"{move['state']}:{move['slug']}" for move in self.moves)

    @property
    def done_share(self) -> int:
        """Of the plan, in tenths, for the little progress bar."""
        return round(10 * self.ticket.progress / len(self.ticket.plan)) if self.ticket.plan else 0


def make_cards(user: User, tickets: Iterable[Ticket]) -> list[Card]:
    """Cards without a query for each: the person's capabilities are read once."""
    grants = grants_of(user)
    return [
        Card(
            ticket,
            may_edit=grants.allow(Capability.EDIT_TICKETS, ticket.tenant_id),
            may_decide=grants.allow(Capability.DECIDE_TICKETS, ticket.tenant_id),
        )
        for ticket in tickets
    ]


def count_by_state(user: User, wanted: Wanted) -> dict[str, int]:
    """How many are in each state, in one query that stops counting a state at the limit."""
    tickets = list_tickets(user=user, narrowed=wanted.as_filter(user))
    by_state = {state: [tickets.filter(state=state)] for state in State.values}
    return {state: count for state, _, count in sql.run_together(sql.counts_up_to(COUNT_LIMIT, by_state))}


def state_tabs(counts: dict[str, int], current: str) -> list[dict[str, object]]:
    """One tab for each state that has tickets, the current one in any case, after one for all."""
    tabs: list[dict[str, object]] = [
        {"state": "", "label": "All", "tone": "", "count": spell_count(sum(counts.values())), "current": not current}
    ]
    for state, look in STATES.items():
        if counts.get(state) or state == current:
            tabs.append(
                {"state": str(state), "label": look.label, "tone": look.tone,
                 "count": spell_count(counts.get(state, 0)), "current": state == current}
            )  # fmt: skip
    return tabs


def spell_count(count: int) -> str:
    return sql.spell_count(count, COUNT_LIMIT)


def projects_to_filter_by(user: User, limit: int = 200) -> list[Project]:
    return list(list_projects(user=user).select_related(None).only("key")[:limit])


def people_to_filter_by(user: User, limit: int = 100) -> list[User]:
    """The people of the tenants whose tickets `user` sees, by name; the first ones where there are very many."""
    theirs = Membership.objects.filter(tenant__in=tenants_where(user, Capability.VIEW_TICKETS)).values("user")
    return list(User.objects.filter(pk__in=theirs, is_active=True).order_by("name", "email")[:limit])


def may_somewhere(user: User, capability: Capability) -> bool:
    """Whether `user` holds the capability in any tenant at all."""
    grants = grants_of(user)
    return capability in grants.everywhere or any(capability in held for held in grants.by_tenant.values())


def sees_many_tenants(user: User) -> bool:
    """Whether one key may name several tickets for this person."""
    grants = grants_of(user)
    seen = [held for held in grants.by_tenant.values() if Capability.VIEW_TICKETS in held]
    return Capability.VIEW_TICKETS in grants.everywhere or len(seen) > 1


BOARD_ORDER = {state: place for place, state in enumerate(
    (State.OPEN, State.REOPENED, *(state for state in UNCLOSED if state not in (State.OPEN, State.REOPENED)))
)}  # fmt: skip
