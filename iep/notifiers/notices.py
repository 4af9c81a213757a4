"""The table of notices about import maps: the fact, who is told, in which words."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from accounts.models import User
from events.models import DomainEvent
from events.notifiers.base import Told, Words
from iep.models import Stamp
from iep.states import OPEN


@dataclass(frozen=True, slots=True)
class StampNotice:
    """One row of the table: tells whoever stamped the ticket and its assignees, not whoever did it themselves."""

    name: str
    fact: str
    label: str
    headline: str
    line: str
    colour: str
    optional: bool = True

    def told(self, fact: DomainEvent) -> Told:
        return Told([each for each in _concerned(fact) if each.public_id != fact.actor_id])

    def words(self, fact: DomainEvent) -> Words:
        ticket, application = fact.data["ticket"], fact.data["application"]
        headline = self.headline.format(ticket=ticket, application=application)
        context = {
            "headline": headline,
            "lines": [self.line, f"By {fact.actor_label}"],
            "label": f"{application} · {ticket}",
            "colour": self.colour,
            "reason": "you work on this ticket",
        }
        return Words(headline, f"{settings.SITE_URL}/iep/{application}/{ticket}/", context)

    def still_matters(self, fact: DomainEvent) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class StaleStamp:
    """Tells whoever stamped a ticket, and its assignees, that it has been lying in dev or QA."""

    name: str = "stamp_stale"
    fact: str = "stamp.stale"
    label: str = "A stamp of mine lies untouched in dev or QA"
    optional: bool = True

    def told(self, fact: DomainEvent) -> Told:
        return Told(_concerned(fact))

    def words(self, fact: DomainEvent) -> Words:
        data = fact.data
        headline = f"{data['ticket']} has been in {data['stage']} of {data['application']} for {data['days']} days"
        lines = ["Nobody touched it since. Promote it, close it, or save to it again.", "An open preview costs nothing,"
                 " but what it changes may have changed in production meanwhile."]  # fmt: skip
        url = f"{settings.SITE_URL}/iep/{data['application']}/{data['ticket']}/"
        context = {"headline": headline, "lines": lines, "colour": "#b7791f", "reason": "you work on this ticket"}
        return Words(headline, url, context)

    def still_matters(self, fact: DomainEvent) -> bool:
        stamp = _stamp_of(fact)
        return stamp is not None and stamp.stage in OPEN and stamp.updated_at.isoformat() == fact.data["since"]


def _stamp_of(fact: DomainEvent) -> Stamp | None:
    return Stamp.objects.select_related("author", "ticket").filter(
        application__tenant=fact.tenant_id, application__slug=fact.data["application"], ticket__key=fact.data["ticket"]
    ).first()  # fmt: skip


def _concerned(fact: DomainEvent) -> list[User]:
    """Whoever stamped the ticket, and its assignees."""
    stamp = _stamp_of(fact)
    if stamp is None:
        return []
    people = {person.pk: person for person in (stamp.author, *stamp.ticket.assignees.all())}
    return [person for person in people.values() if person.is_active]


NOTICES = (
    StampNotice(
        "stamp_released", "stamp.released", "Modules of my ticket reach production by an import map",
        "{ticket} is in production of {application}", "Its modules are part of the import map that everybody gets now.",
        "#2f9e44",
    ),
    StampNotice(
        "stamp_taken_back", "stamp.taken_back", "Modules of my ticket are taken back from production",
        "{ticket} was taken back from production of {application}",
        "The import map serves what it did before. The ticket is back in QA.", "#c53030",
    ),
    StaleStamp(),
)  # fmt: skip
