"""Several tickets changed together: shown first, then one by one, each with its outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.pages import person_of
from core.errors import DomainError
from tickets import services
from tickets.models import Ticket
from tickets.pages.board import sees_many_tenants
from tickets.pages.looks import PRIORITIES, VERBS
from tickets.selectors import find_ticket
from tickets.states import DECISIONS, MOVES
from tickets.types import Priority

MOST = 50

Change = Callable[[Ticket, User, str, int | None], Any]


def _move(verb: str) -> Change:
    return lambda ticket, user, comment, version: services.move_ticket(
        ticket=ticket, verb=verb, by=user, comment=comment, version=version
    )


def _close(resolution: str) -> Change:
    return lambda ticket, user, comment, version: services.close_ticket(
        ticket=ticket, by=user, resolution=resolution, comment=comment, version=version
    )


def _set_priority(priority: Priority) -> Change:
    return lambda ticket, user, comment, version: services.edit_ticket(
        ticket=ticket, by=user, version=version, priority=int(priority)
    )


# Decisions are not among them: each is taken on its own ticket's page.
CHANGES: dict[str, tuple[str, Change]] = {
    **{verb: (VERBS[verb], _move(verb)) for verb in MOVES if verb not in DECISIONS},
    "queue": (
        "Queue the next stage",
        lambda ticket, user, comment, version: services.queue_task(ticket=ticket, by=user, even_without_worker=True),
    ),
    "complete": ("Complete", _close("completed")),
    "stop": ("Stop", _close("stopped")),
    **{f"priority_{one.word}": (f"Priority: {PRIORITIES[one].label.lower()}", _set_priority(one)) for one in Priority},
}
CHOICES = [(name, label) for name, (label, _) in CHANGES.items()]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of them."""

    key: str
    ticket: Ticket | None
    refused: str = ""
    code: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def ticket_bulk(request: HttpRequest) -> HttpResponse:
    """GET shows the ticked tickets; POST changes them, bound to the versions that were shown."""
    user = person_of(request)
    context: dict[str, Any] = {"with_tenant": sees_many_tenants(user), "choices": CHOICES}
    if request.method != "POST":
        return render(request, "tickets/bulk.html", context | _found(user, request.GET.getlist("ticket")[:MOST]))
    chosen, comment = request.POST.get("change", ""), request.POST.get("comment", "").strip()
    ticked = request.POST.getlist("ticket")[:MOST]
    if chosen not in CHANGES:
        names = [one.partition("@")[0] for one in ticked]
        context |= _found(user, names) | {"fault": "Choose what to do with them.", "comment": comment}
        return render(request, "tickets/bulk.html", context, status=422)
    label, change = CHANGES[chosen]
    outcomes = [_carry_out(user, one, change, comment) for one in ticked]
    return render(request, "tickets/bulk_done.html", context | {"outcomes": outcomes, "label": label})


def _found(user: User, names: list[str]) -> dict[str, Any]:
    """The tickets named `tenant/key` that the person may see, and the names of the others."""
    tickets, missing = [], []
    for name in dict.fromkeys(names):
        tenant, _, key = name.partition("/")
        try:
            tickets.append(find_ticket(user=user, key=key, tenant=tenant))
        except DomainError:
            missing.append(key or name)
    return {"tickets": tickets, "missing": missing}


def _carry_out(user: User, one: str, change: Change, comment: str) -> Outcome:
    name, _, version = one.partition("@")
    tenant, _, key = name.partition("/")
    shown = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else -1
    ticket = None
    try:
        ticket = find_ticket(user=user, key=key, tenant=tenant)
        change(ticket, user, comment, shown)
    except DomainError as refusal:
        return Outcome(key[:100], ticket, refusal.message, refusal.code)
    return Outcome(ticket.key, ticket)
