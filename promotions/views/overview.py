"""The overview: what waits for me, what runs where, what just happened, how well delivery goes."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.pages import person_of
from accounts.roles import Capability
from core.console import is_partial
from events.activity import newest_facts
from promotions.pages import board, candidates, figures
from promotions.views.board import may_create_somewhere, may_somewhere

MOST_WAITING = 12


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """The first page of everyone."""
    user = person_of(request)
    can_create = may_create_somewhere(user)
    waiting = board.waiting_for(user, MOST_WAITING + 1)
    context = {
        "waiting": board.make_cards(user, waiting[:MOST_WAITING]),
        "more_waiting": len(waiting) > MOST_WAITING,
        "mine": board.requests_of(user),
        "services": candidates.running_services(user, 8),
        "feed": newest_facts(user, 12),
        "figures": figures.delivery_figures(user),
        "can_create": can_create,
        "can_decide": may_somewhere(user, Capability.DECIDE_PROMOTION),
    }
    template = (
        "requests/overview.html#live" if is_partial(request) and request.GET.get("part") else "requests/overview.html"
    )
    return render(request, template, context)
