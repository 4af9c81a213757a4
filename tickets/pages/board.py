"""The tickets as board and list: filters as in the address, their menus, tabs per state, and where each card may go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import CharField, Value
from django.http import QueryDict

from accounts.models import Membership, User
from accounts.roles import Capability
from accounts.selectors import grants_of, tenants_where
from core.counts import run_together, select_of, spell_count
from tickets.models import Project, Ticket
from tickets.pages.looks import STATES, VERBS
from tickets.selectors import Listing, TicketFilter, list_projects
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

    def as_filter(self, user: User, *, state: str = "", project_ids: tuple[int, ...] | None = None) -> TicketFilter:
        """For the selectors."""
        return TicketFilter(
            project=self.project,
            project_ids=project_ids,
            type=self.type,
            priority=Priority[self.priority.upper()] if self.priority else None,
            assignee=self.assignee if self.assignee.lower() != "me" else "",
            assigned_to=user.pk if self.assignee.lower() == "me" else None,
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


def state_tabs(listing: Listing, current: str) -> list[dict[str, object]]:
    """One tab for each state that has tickets, the current one in any case, after one for all."""

    def spell(count: int) -> str:
        return spell_count(count, listing.limit)

    total = spell(sum(listing.counts.values()))
    tabs: list[dict[str, object]] = [{"state": "", "label": "All", "tone": "", "count": total, "current": not current}]
    for state, look in STATES.items():
        count = listing.counts.get(state, 0)
        if count or state == current:
            tabs.append(
                {"state": str(state), "label": look.label, "tone": look.tone, "count": spell(count),
                 "current": state == current}
            )  # fmt: skip
    return tabs


def projects_to_filter_by(user: User, limit: int = 200) -> list[Project]:
    return list(list_projects(user=user).select_related(None).only("key")[:limit])


@dataclass(frozen=True, slots=True)
class Choices:
    """What the menus of the filters offer, the first of each by name, and the ids of the project that is chosen."""

    projects: list[str]
    people: list[tuple[str, str]]
    chosen: tuple[int, ...] | None

    def knows(self, email: str) -> bool:
        return any(each.lower() == email.lower() for each, _ in self.people)


def choices_for(user: User, wanted: Wanted, projects: int = 200, people: int = 100) -> Choices:
    """Projects and people of the tenants whose tickets `user` sees, in one query."""
    blank = Value("", output_field=CharField())
    known = list_projects(user=user).select_related(None).annotate(more=blank)
    theirs = Membership.objects.filter(tenant__in=tenants_where(user, Capability.VIEW_TICKETS)).values("user")
    parts = {
        "project": known.order_by("key").values("pk", "key", "more")[:projects],
        "person": User.objects.filter(pk__in=theirs, is_active=True).order_by("name", "email").values("pk", "email", "name")[
            :people
        ],
        "chosen": known.filter(key__iexact=wanted.project).order_by().values("pk", "key", "more")[:projects],
    }  # fmt: skip
    if not wanted.project:
        del parts["chosen"]
    found: dict[str, list[tuple[int, str, str]]] = {kind: [] for kind in ("project", "person", "chosen")}
    for kind, *row in run_together(
        [(f"SELECT %s, one.* FROM ({text}) AS one", [kind, *values])  # noqa: S608 (Django wrote it)
         for kind, part in parts.items() for text, values in [select_of(part)] if text]
    ):  # fmt: skip
        found[kind].append(tuple(row))
    return Choices(
        sorted({key for _, key, _ in found["project"]}, key=str.casefold),
        sorted(((email, name or email) for _, email, name in found["person"]), key=lambda one: one[1].casefold()),
        tuple(pk for pk, _, _ in found["chosen"]) if wanted.project else None,
    )


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
