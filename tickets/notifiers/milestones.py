"""What the facts of tickets mean for those who follow them from outside."""

from __future__ import annotations

from django.conf import settings

from events.connections.milestones import Milestone
from events.models import DomainEvent
from tickets.models import Comment, Ticket


def read(fact: DomainEvent) -> Milestone | None:
    """A move to another state, unless the ticket has moved on since; and what was said."""
    ticket = Ticket.objects.filter(tenant=fact.tenant_id, key=fact.subject_id).first()
    if ticket is None:
        return None
    url = f"{settings.SITE_URL}/tickets/{ticket.key}/"
    if fact.type == "ticket.commented":
        comment = Comment.objects.filter(ticket=ticket, pk=fact.data["comment_id"]).first()
        said = f"{fact.actor_label}:\n\n{comment.content}" if comment else ""
        return Milestone((ticket.key,), said=said, url=url, label=ticket.key)
    state = fact.data.get("state", "")
    # Wherever its issue is, that is where it begins; and an edit is no step.
    word = str(state) if ticket.state == state and fact.type not in {"ticket.opened", "ticket.edited"} else ""
    said = str(fact.data.get("comment") or "")
    said = f"{fact.actor_label}:\n\n{said}" if said else ""
    return Milestone((ticket.key,), word, said, url, label=ticket.key)
