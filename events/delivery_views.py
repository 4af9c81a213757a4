"""The deliveries page: what was told to whom, how often it was tried, what went wrong, and how each channel fares."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.pages import person_of
from core.console import go, is_partial
from core.errors import NotFound
from core.paging import page_of
from core.views import local_address
from events import deliveries
from events.channels import channels
from events.models import DeliveryState

PER_PAGE = 50
TONES = {"queued": "blue", "sending": "amber", "done": "green", "dead": "red"}
LABELS = {"queued": "Waiting", "sending": "Being sent", "done": "Delivered", "dead": "Given up"}


@require_safe
@login_required
def delivery_list(request: HttpRequest) -> HttpResponse:
    """Deliveries about this person's tenants, newest first, and the health of the channels."""
    user = person_of(request)
    if not deliveries.may_see_any(user):
        raise NotFound("Deliveries are for those who administer a tenant.")
    wanted = deliveries.DeliveryFilter.of(request.GET)
    page = page_of(deliveries.find_deliveries(user, wanted), request.GET, size=PER_PAGE)
    states = deliveries.channel_states(user)
    places = {name: name for name in channels()} | {state.name: state.label for state in states}
    if wanted.channel:
        places.setdefault(wanted.channel, wanted.channel)
    named = deliveries.name_recipients(page.rows)
    context = {
        "wanted": wanted,
        "page": page,
        "rows": [
            (delivery, TONES[delivery.state], LABELS[delivery.state], *named[delivery.pk]) for delivery in page.rows
        ],
        "channels": {
            "busy": [state for state in states if state.wants_attention],
            "idle": [state for state in states if not state.wants_attention],
        },
        "places": list(places.items()),
        "wanted_label": places.get(wanted.channel, wanted.channel),
        "states": [(state, LABELS[state]) for state in DeliveryState.values],
    }
    part = is_partial(request) and request.GET.get("part") == "live"
    return render(request, "deliveries/list.html#live" if part else "deliveries/list.html", context)


@require_POST
@login_required
def delivery_retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Try one again now, then back to the list."""
    user = person_of(request)
    delivery = deliveries.visible_delivery(user, pk)
    deliveries.retry_one(delivery=delivery, by=user)
    [(channel, recipient)] = deliveries.name_recipients([delivery]).values()
    told = f"{channel}, {recipient}" if recipient else channel
    messages.success(request, f"{told}: {delivery.fact.subject_id} is tried again now.")
    return go(request, local_address(request, request.POST.get("next", "")))


@require_POST
@login_required
def delivery_retry_all(request: HttpRequest) -> HttpResponse:
    """Try all dead ones of the list again."""
    user = person_of(request)
    wanted = deliveries.DeliveryFilter.of(request.POST)
    count = deliveries.retry_all(wanted=wanted, by=user)
    messages.success(request, f"{count} deliver{'y is' if count == 1 else 'ies are'} tried again now.")
    query = {"channel": wanted.channel, "q": wanted.text}
    return go(request, f"{reverse('deliveries')}?{urlencode({k: v for k, v in query.items() if v})}")
