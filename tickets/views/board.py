"""The board of tickets, and the same tickets as a list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.pages import person_of
from accounts.roles import Capability
from core.console import is_partial
from core.paging import read_key
from tickets.pages import board
from tickets.pages.looks import TYPES
from tickets.selectors import TicketFilter, list_by_state
from tickets.selectors import board as read_board
from tickets.states import CLOSED, State
from tickets.types import Priority

PER_COLUMN = 30
PER_PAGE = 50


@require_safe
@login_required
def ticket_board(request: HttpRequest) -> HttpResponse:
    """Tickets this person may see; the whole page, or only what changes for HTMX."""
    user = person_of(request)
    wanted = board.Wanted.of(request.GET)
    part = request.GET.get("part") if is_partial(request) else ""
    choices = None if part == "tickets" else board.choices_for(user, wanted)
    narrowed = wanted.as_filter(user, project_ids=choices.chosen if choices else None)
    # The board shows what is unclosed; an address that asks for closed ones means the list.
    as_list = request.GET.get("view") == "list" or wanted.state in {"closed", *CLOSED}
    shown = _list(request, user, narrowed, wanted.state) if as_list else _columns(user, narrowed, wanted.state)
    can_edit = board.may_somewhere(user, Capability.EDIT_TICKETS)
    context = shown | {
        "wanted": wanted,
        "as_list": as_list,
        "with_tenant": board.sees_many_tenants(user),
        "can_edit": can_edit,
        "types": TYPES,
        "priorities": Priority.words(),
        "here": request.get_full_path(),
    }
    template = "tickets/board.html#tickets" if part == "tickets" else "tickets/board.html"
    if choices is not None:
        context |= {"choices": choices, "assignee_known": choices.knows(wanted.assignee)}
    return render(request, template, context)


def _columns(user: User, narrowed: TicketFilter, state: str) -> dict[str, Any]:
    narrowed = replace(narrowed, states=(state,) if state else ())
    columns = read_board(user=user, narrowed=narrowed, per_column=PER_COLUMN)
    columns.sort(key=lambda column: board.BOARD_ORDER[State(column.state)])
    return {
        "columns": [(column, board.make_cards(user, column.tickets)) for column in columns],
        "found": any(column.count for column in columns),
    }


def _list(request: HttpRequest, user: User, narrowed: TicketFilter, state: str) -> dict[str, Any]:
    before = read_key(request.GET.get("before"))
    states = tuple(CLOSED) if state == "closed" else (state,) if state else ()
    listing = list_by_state(user=user, narrowed=narrowed, states=states, before=before, limit=PER_PAGE)
    return {
        "cards": board.make_cards(user, listing.tickets),
        "found": bool(listing.tickets),
        "next": listing.following,
        "is_first": before is None,
        "tabs": board.state_tabs(listing, state),
    }
