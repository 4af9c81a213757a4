"""Reads of tickets and their work; each starts from what the reader may see."""

from tickets.selectors.events import EventPage, get_events
from tickets.selectors.mentions import find_mentions
from tickets.selectors.tickets import (
    Column,
    TicketFilter,
    board,
    find_ticket,
    list_tickets,
    page_tickets,
    ticket_history,
)
from tickets.selectors.work import (
    explain_claim,
    find_project,
    find_task,
    find_worker,
    list_projects,
    list_tasks,
    list_workers,
    named_tenant,
    queue_lengths,
    working_tenant,
)

__all__ = [
    "Column",
    "EventPage",
    "TicketFilter",
    "board",
    "explain_claim",
    "find_mentions",
    "find_project",
    "find_task",
    "find_ticket",
    "find_worker",
    "get_events",
    "list_projects",
    "list_tasks",
    "list_tickets",
    "list_workers",
    "named_tenant",
    "page_tickets",
    "queue_lengths",
    "ticket_history",
    "working_tenant",
]
