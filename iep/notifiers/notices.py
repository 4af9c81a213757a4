"""The table of notices about import maps: the fact, who is told, in which words."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from events.models import DomainEvent
from events.notifiers.base import Told, Words
from iep.models import Stamp
from iep.states import OPEN


@dataclass(frozen=True, slots=True)
class StaleStamp:
    """Tells whoever stamped a ticket, and its assignees, that it has been lying in dev or QA."""

    name: str = "stamp_stale"
    fact: str = "stamp.stale"
    label: str = "A stamp of mine lies untouched in dev or QA"
    optional: bool = True

    def told(self, fact: DomainEvent) -> Told:
        stamp = _stamp_of(fact)
        if stamp is None:
            return Told()
        people = {person.pk: person for person in (stamp.author, *stamp.ticket.assignees.all())}
        return Told([person for person in people.values() if person.is_active])

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


NOTICES = (StaleStamp(),)
