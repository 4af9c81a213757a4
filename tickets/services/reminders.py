"""Tickets whose date has gone by without an end: their people are reminded, once for each date."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Value
from django.db.models.functions import Cast, Concat

from core.clock import now
from events.models import Reminder
from events.reminders import first_time
from tickets.models import Ticket
from tickets.services.facts import publish_about
from tickets.states import SATISFIED, UNCLOSED

KIND = "overdue ticket"
AT_ONCE = 500


def remind_of_overdue_tickets(*, at_once: int = AT_ONCE) -> int:
    """Whoever is late: tell the assignees, or the author; how many. Leaves `ticket.overdue` once for each due date."""
    today = now().astimezone(dt.UTC).date()
    open_states = [state for state in UNCLOSED if state not in SATISFIED]
    late = Ticket.objects.filter(state__in=open_states, due_date__lt=today, due_date__gte=today - dt.timedelta(days=30))
    key = Concat(Cast("pk", CharField()), Value(" "), Cast("due_date", CharField()))
    told = Reminder.objects.filter(kind=KIND, key=OuterRef("reminder"))
    untold = late.alias(reminder=key).filter(~Exists(told))
    found = untold.select_related("project", "tenant").order_by("due_date", "pk")[:at_once]
    return sum(_remind(ticket) for ticket in found)


def _key(ticket: Ticket) -> str:
    return f"{ticket.pk} {ticket.due_date}"


@transaction.atomic
def _remind(ticket: Ticket) -> bool:
    if not first_time(KIND, _key(ticket)):
        return False
    publish_about(ticket, "ticket.overdue", by=None, data={"due_date": str(ticket.due_date)})
    return True
