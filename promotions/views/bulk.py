"""Several low-impact requests approved together, each bound to the digest that was shown."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.pages import person_of
from core.errors import DomainError
from promotions.models import PromotionRequest
from promotions.pages import board
from promotions.services import approve_request
from promotions.services.transition import visible_request

MOST = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of them."""

    number: str
    title: str
    refused: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def request_bulk(request: HttpRequest) -> HttpResponse:
    """GET shows each ticked request with its digest; POST approves those, one by one, and tells of each."""
    user = person_of(request)
    if request.method == "POST":
        pairs = [pair.partition("@") for pair in request.POST.getlist("approve")[:MOST]]
        outcomes = [_approve(user, number, digest, request.POST.get("comment", "")) for number, _, digest in pairs]
        return render(request, "requests/bulk_done.html", {"outcomes": outcomes})
    numbers = request.GET.getlist("number")[:MOST]
    found = board.for_cards(PromotionRequest.objects.decidable_by(user).filter(number__in=numbers)).order_by("pk")
    cards = [card for card in board.make_cards(user, found) if card.in_bulk]
    left_out = sorted(set(numbers) - {card.promotion.number for card in cards})
    return render(request, "requests/bulk.html", {"cards": cards, "left_out": left_out})


def _approve(user: User, number: str, digest: str, comment: str) -> Outcome:
    try:
        promotion = visible_request(user, number)
        if promotion.impact != "low":
            return Outcome(
                number, promotion.title, "Only low-impact requests are approved together. Open it and decide."
            )
        approve_request(promotion=promotion, by=user, comment=comment, digest=digest or "none")
    except DomainError as refusal:
        return Outcome(number, "", refusal.message)
    return Outcome(number, promotion.title)
