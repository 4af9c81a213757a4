"""Tickets in Slack: where one is, for those who may see it."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from accounts.models import User
from events.slack.cards import escape
from tickets.pages.looks import STATES
from tickets.selectors import find_ticket


def show_ticket(user: User, rest: str) -> str:
    """`/stagepass ticket TICKET-001`: its state, stage and who answers for it."""
    if not rest:
        return "Say which one: `/stagepass ticket TICKET-001`."
    ticket = find_ticket(user=user, key=rest.split(maxsplit=1)[0].upper())
    address = f"{settings.SITE_URL}{reverse('ticket', args=[ticket.key])}"
    people = ", ".join(person.email for person in ticket.assignees.all()) or "nobody yet"
    stage = f", stage {ticket.stage}" if ticket.stage else ""
    return (
        f"<{address}|{ticket.key}> {escape(ticket.title)}\n{STATES[ticket.state].label}{stage}. Assigned to {people}."
    )
