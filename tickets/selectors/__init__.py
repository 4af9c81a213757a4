"""Reads of tickets and their work; each starts from what the reader may see."""

from tickets.selectors.events import EventPage, get_events
from tickets.selectors.listing import Column, Listing, board, list_by_state, page_tickets
from tickets.selectors.mentions import find_mentions
from tickets.selectors.tickets import TicketFilter, find_ticket, list_tickets, ticket_history
from tickets.selectors.work import (
    explain_claim,
    find_project,
    find_task,
    find_worker,
    list_projects,
    list_tasks,
    list_waiting_for_people,
    list_workers,
    named_tenant,
    queue_lengths,
    working_tenant,
)

__all__ = [
    "Column",
    "EventPage",
    "Listing",
    "TicketFilter",
    "board",
    "explain_claim",
    "find_mentions",
    "find_project",
    "find_task",
    "find_ticket",
    "find_worker",
    "get_events",
    "list_by_state",
    "list_projects",
    "list_tasks",
    "list_tickets",
    "list_waiting_for_people",
    "list_workers",
    "named_tenant",
    "page_tickets",
    "queue_lengths",
    "ticket_history",
    "working_tenant",
]
