"""The table of notices about tickets: the fact, who is told, in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import holders_of
from events.models import DomainEvent
from events.notifiers.base import Told, Words
from tickets.models import Ticket
from tickets.states import CLOSED, State

People = Callable[[Ticket, DomainEvent], Iterable[User]]


def people_of(ticket: Ticket, fact: DomainEvent) -> list[User]:
    """Who answers for it: the assignees, else the author; never whoever did it themselves."""
    people = list(ticket.assignees.all()) or [ticket.author]
    return [person for person in people if person.public_id != fact.actor_id]


def deciders(ticket: Ticket, fact: DomainEvent) -> list[User]:
    """Whoever may pass its gates."""
    holders = holders_of(Capability.DECIDE_TICKETS, ticket.tenant)
    return [person for person in holders if person.public_id != fact.actor_id]


@dataclass(frozen=True, slots=True)
class TicketNotice:
    """One row of the table; `subject` and `line` are filled with key, title and what the fact knows."""

    name: str
    fact: str
    label: str
    tells: People
    subject: str
    line: str
    matters_in: frozenset[str] | None = None
    colour: str = "#3b5bdb"
    optional: bool = True

    def told(self, fact: DomainEvent) -> Told:
        ticket = _ticket_of(fact)
        people = self.tells(ticket, fact) if ticket else []
        return Told([person for person in people if person.is_active])

    def words(self, fact: DomainEvent) -> Words:
        known = {"due_date": "", "stage": "", **fact.data, "next_stage": fact.data.get("next_stage") or "?"}
        key, title = fact.data["key"], fact.data["title"]
        url = settings.SITE_URL + reverse("ticket", args=[key])
        tenant = fact.tenant.slug if fact.tenant else ""
        context = {
            "headline": self.subject.format(**known),
            "lines": [title, self.line.format(**known)],
            "label": f"{key} · {tenant}",
            "colour": self.colour,
        }
        return Words(f"[{key}] {title}: {self.subject.format(**known)}", url, context)

    def still_matters(self, fact: DomainEvent) -> bool:
        ticket = _ticket_of(fact)
        if ticket is None:
            return False
        return ticket.state in self.matters_in if self.matters_in else ticket.state not in CLOSED


def _ticket_of(fact: DomainEvent) -> Ticket | None:
    return Ticket.objects.select_related("tenant", "author").filter(tenant=fact.tenant_id, key=fact.subject_id).first()


NOTICES = (
    TicketNotice(
        "ticket_gate", "ticket.gate_reached", "A ticket waits at a gate that I may pass",
        deciders, "waits for a person", "Its plan has reached the gate {next_stage}: somebody has to decide.",
    ),
    TicketNotice(
        "ticket_approval", "ticket.approval_requested", "A ticket asks for an approval that I may give",
        deciders, "approval needed", "Somebody has to approve or decline it.",
        frozenset({State.APPROVAL_IN_PROGRESS}),
    ),
    TicketNotice(
        "ticket_attention", "ticket.stage_exhausted", "A stage of my ticket ran out of attempts",
        people_of, "needs attention", "A stage failed as often as it may. Look at why, then let it be tried again.",
        colour="#c53030",
    ),
    TicketNotice(
        "ticket_overdue", "ticket.overdue", "My ticket is overdue",
        people_of, "overdue", "It was due on {due_date}. Finish it, or give it another date.", colour="#b7791f",
    ),
)  # fmt: skip
