"""The list of requests, as cards or as a dense table."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.pages import person_of
from accounts.roles import Capability
from accounts.selectors import grants_of
from core.console import is_partial
from core.paging import read_key
from promotions.pages import board
from promotions.pages.facets import read_facets
from promotions.pages.looks import STATES

PER_PAGE = {"cards": 24, "table": 50}


@require_safe
@login_required
def request_list(request: HttpRequest) -> HttpResponse:
    """Requests this person may see; the whole page, or only its list for HTMX."""
    user = person_of(request)
    wanted = board.BoardFilter.of(request.GET)
    view = "table" if request.GET.get("view") == "table" else "cards"
    can_create = may_create_somewhere(user)
    before = read_key(request.GET.get("before"))
    page = board.page_of_requests(user, wanted, limit=PER_PAGE[view], before=before)
    found = read_facets(user, wanted)
    context = {
        "wanted": wanted,
        "view": view,
        "page": page,
        "is_first": before is None,
        "cards": board.make_cards(user, page.promotions),
        "tabs": state_tabs(found.counts, wanted.state),
        "tenants": found.tenants,
        "can_create": can_create,
    }
    template = "requests/list.html#list" if is_partial(request) and request.GET.get("part") else "requests/list.html"
    return render(request, template, context)


def state_tabs(counts: dict[str, int], current: str) -> list[dict[str, object]]:
    """One tab for each state that has requests, the current one in any case, after one for all."""
    every = sum(counts.values())
    tabs: list[dict[str, object]] = [
        {"state": "", "label": "All", "tone": "", "count": board.spell_count(every), "current": not current}
    ]
    for state, look in STATES.items():
        if counts.get(state) or state == current:
            tabs.append(
                {
                    "state": str(state),
                    "label": look.label,
                    "tone": look.tone,
                    "count": board.spell_count(counts.get(state, 0)),
                    "current": state == current,
                }
            )
    return tabs


def may_create_somewhere(user: User) -> bool:
    return may_somewhere(user, Capability.REQUEST_PROMOTION)


def may_somewhere(user: User, capability: Capability) -> bool:
    """Whether `user` holds the capability in any tenant at all."""
    grants = grants_of(user)
    return capability in grants.everywhere or any(capability in held for held in grants.by_tenant.values())
