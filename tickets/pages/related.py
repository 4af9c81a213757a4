"""What the page of an event shows of tickets."""

from __future__ import annotations

from accounts.models import User
from events.models import Event
from events.tracker.pages.dossier import Related
from tickets.models import Ticket
from tickets.pages.addresses import address_of
from tickets.pages.looks import STATES


def ticket_of_event(user: User, event: Event) -> list[Related]:
    """The ticket that the event names, if its tenant has it and `user` may see it."""
    if not event.ticket:
        return []
    named = Ticket.objects.visible_to(user).filter(tenant=event.tenant_id, key=event.ticket).select_related("tenant")
    return [
        Related("Ticket", ticket.key, ticket.title, address_of(ticket, with_tenant=True), STATES[ticket.state])
        for ticket in named[:1]
    ]
