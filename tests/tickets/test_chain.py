"""What tickets say to the chain."""

from __future__ import annotations

from events.models import DomainEvent
from tickets.chain import read_facts
from tickets.models import Ticket
from tickets.services import comment_on_ticket, link_ticket, move_ticket, unlink_ticket


def states_told() -> list[str]:
    """Of each fact in order, what it says of how its ticket stands."""
    facts = list(DomainEvent.objects.filter(type__startswith="ticket.").order_by("sequence"))
    named = [told.things[0] for told in read_facts(facts) if ":link:" not in told.ref]
    return [thing.claims.get("state", "-") for thing in named]


def test_only_a_step_says_how_a_ticket_stands(ticket, devops):
    """Somebody who read it before the step and comments after it does not set it back."""
    before = Ticket.objects.select_related("project", "tenant").get(pk=ticket.pk)
    move_ticket(ticket=ticket, verb="start", by=devops)
    comment_on_ticket(ticket=before, by=devops, content="Said by somebody with an old page")
    link = link_ticket(ticket=before, url="https://example.com/a", by=devops)
    unlink_ticket(ticket=before, link=link.pk, by=devops)
    assert states_told() == ["open", "in_progress", "-", "-", "-"]


def test_the_fact_of_a_link_tells_the_ticket_as_it_is_then(ticket, devops):
    before = Ticket.objects.select_related("project", "tenant").get(pk=ticket.pk)
    move_ticket(ticket=ticket, verb="start", by=devops)
    link = link_ticket(ticket=before, url="https://example.com/a", by=devops)
    unlink_ticket(ticket=before, link=link.pk, by=devops)
    told = DomainEvent.objects.filter(type__in=["ticket.linked", "ticket.unlinked"])
    assert [fact.data["state"] for fact in told] == ["in_progress", "in_progress"]
