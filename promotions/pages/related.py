"""What the page of a ticket shows of promotion requests."""

from __future__ import annotations

from django.urls import reverse

from accounts.models import User
from promotions.models import PromotionRequest
from promotions.pages.looks import STATES
from tickets.models import Ticket
from tickets.pages.dossier import Related

MOST = 20


def requests_naming(user: User, ticket: Ticket) -> list[Related]:
    """The newest requests of the ticket's tenant that name it, as it is or in one case, and that `user` may see."""
    spellings = list({ticket.key, ticket.key.upper(), ticket.key.lower()})
    naming = PromotionRequest.objects.visible_to(user).filter(tenant=ticket.tenant_id, tickets__overlap=spellings)
    return [
        Related(
            kind="Request",
            label=promotion.number,
            title=promotion.title,
            address=reverse("request", args=[promotion.number]),
            state=STATES[promotion.state],
            at=promotion.created_at,
        )
        for promotion in naming.defer("release_notes").order_by("-pk")[:MOST]
    ]
