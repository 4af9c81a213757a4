"""Badges and addresses of tickets."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from core.clock import now
from core.looks import Look
from tickets.models import Ticket
from tickets.pages.addresses import address_of
from tickets.pages.looks import COMMENTS, LINKS, PRIORITIES, STATES, TASKS, TYPES, WORKERS
from tickets.states import State

register = template.Library()


def _badge(look: Look) -> dict[str, Any]:
    return {"label": look.label, "tone": look.tone, "live": look.live}


@register.inclusion_tag("components/badge.html")
def ticket_state(state: str) -> dict[str, Any]:
    """The state as dot and word."""
    return _badge(STATES.get(state, Look(state, "grey")))


@register.inclusion_tag("components/badge.html")
def task_state(state: str) -> dict[str, Any]:
    """A stage task's state as dot and word."""
    return _badge(TASKS.get(state, Look(state, "grey")))


@register.inclusion_tag("components/badge.html")
def worker_state(state: str) -> dict[str, Any]:
    """A worker's status as dot and word."""
    return _badge(WORKERS.get(state, Look(state, "grey")))


@register.inclusion_tag("components/badge.html")
def priority_badge(priority: int) -> dict[str, Any]:
    """The priority as dot and word."""
    return _badge(PRIORITIES.get(priority, Look(str(priority), "grey")))


@register.filter
def type_look(kind: str) -> Look:
    return TYPES.get(kind, Look(kind, "grey", "ticket"))


@register.filter
def state_look(state: str) -> Look:
    return STATES.get(state, Look(state, "grey"))


@register.filter
def comment_look(kind: str) -> Look:
    return COMMENTS.get(kind, Look("", "grey"))


@register.filter
def is_overdue(ticket: Ticket) -> bool:
    """Whether its day is over, in UTC, and it is not done."""
    done = ticket.is_closed or ticket.state == State.RESOLVED
    return bool(ticket.due_date and ticket.due_date < now().date() and not done)


@register.filter
def link_word(kind: str) -> str:
    return LINKS.get(kind, kind)


@register.simple_tag(takes_context=True)
def ticket_url(context: Context, ticket: Ticket, verb: str = "") -> str:
    """The page of a ticket, or of a verb on it; with its tenant when `with_tenant` of the page says so."""
    return address_of(ticket, verb, with_tenant=bool(context.get("with_tenant")))
