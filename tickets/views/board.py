"""The board of tickets, and the same tickets as a list."""

from __future__ import annotations

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
from tickets.selectors import board as read_board
from tickets.selectors import page_tickets
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
    # The board shows what is unclosed; an address that asks for closed ones means the list.
    as_list = request.GET.get("view") == "list" or wanted.state in {"closed", *CLOSED}
    shown = _list(request, user, wanted) if as_list else _columns(user, wanted)
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
    part = request.GET.get("part") if is_partial(request) else ""
    template = "tickets/board.html#tickets" if part == "tickets" else "tickets/board.html"
    if part != "tickets":
        context["projects"] = board.projects_to_filter_by(user)
        context["people"] = board.people_to_filter_by(user)
        context["assignee_known"] = any(person.email.lower() == wanted.assignee.lower() for person in context["people"])
    return render(request, template, context)


def _columns(user: User, wanted: board.Wanted) -> dict[str, Any]:
    columns = read_board(user=user, narrowed=wanted.as_filter(user, state=wanted.state), per_column=PER_COLUMN)
    columns.sort(key=lambda column: board.BOARD_ORDER[State(column.state)])
    return {
        "columns": [(column, board.make_cards(user, column.tickets)) for column in columns],
        "found": any(column.count for column in columns),
    }


def _list(request: HttpRequest, user: User, wanted: board.Wanted) -> dict[str, Any]:
    before = read_key(request.GET.get("before"))
    narrowed = wanted.as_filter(user, state="" if wanted.state == "closed" else wanted.state)
    tickets, following = page_tickets(user=user, narrowed=narrowed, before=before, limit=PER_PAGE)
    return {
        "cards": board.make_cards(user, tickets),
        "found": bool(tickets),
        "next": following,
        "is_first": before is None,
        "tabs": board.state_tabs(board.count_by_state(user, wanted), wanted.state),
    }
