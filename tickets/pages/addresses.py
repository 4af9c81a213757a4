"""Where a ticket's pages are: by its key, and by its tenant too for people to whom one key may name several."""

from __future__ import annotations

from django.urls import reverse

from tickets.models import Ticket


def address_of(ticket: Ticket, verb: str = "", *, with_tenant: bool = False) -> str:
    """The page of the ticket, or of a verb on it (as its slug)."""
    name = "ticket_verb" if verb else "ticket"
    parts = [ticket.key, verb] if verb else [ticket.key]
    return reverse(f"{name}_in", args=[ticket.tenant.slug, *parts]) if with_tenant else reverse(name, args=parts)
