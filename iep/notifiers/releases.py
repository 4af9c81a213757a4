"""The notices of what reached production by import maps: the fact, who is told, in which words."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from events.models import DomainEvent
from events.notifiers.base import Told, Words
from iep.models import Stamp


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
        stamp = _stamp_of(fact)
        if stamp is None:
            return Told()
        people = {person.pk: person for person in (stamp.author, *stamp.ticket.assignees.all())}
        return Told([each for each in people.values() if each.is_active and each.public_id != fact.actor_id])

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


def _stamp_of(fact: DomainEvent) -> Stamp | None:
    stamps = Stamp.objects.select_related("author", "ticket")
    ticket, application = fact.data["ticket"], fact.data["application"]
    return stamps.filter(application__tenant=fact.tenant_id, application__slug=application, ticket__key=ticket).first()


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
)  # fmt: skip
