"""What the facts of promotion requests mean for those who follow their tickets from outside."""

from __future__ import annotations

from django.conf import settings

from events.connections.milestones import Milestone, tickets_of
from events.models import DomainEvent
from promotions.models import PromotionRequest

# How it is told, in a status map's words, in a sentence, and as the status of a commit.
_STEPS = {
    "promotion.created": ("", "waits for approval", "pending"),
    "promotion.approved": ("request.approved", "is approved", "pending"),
    "promotion.glass_broken": ("request.approved", "is deployed without approval", "pending"),
    "promotion.rejected": ("request.rejected", "was rejected", "failure"),
    "promotion.withdrawn": ("", "was withdrawn", "failure"),
    "deployment.succeeded": ("request.deployed", "is deployed to production", "success"),
    "deployment.failed": ("request.failed", "could not be deployed", "failure"),
    "promotion.rolled_back": ("request.rolled_back", "was rolled back", "failure"),
}
_SILENT = {"promotion.created", "promotion.withdrawn"}


def read(fact: DomainEvent) -> Milestone | None:
    """A step of a request, for each ticket that it names; without a word once the request has gone on."""
    step = _STEPS.get(fact.type)
    promotion = PromotionRequest.objects.filter(number=fact.subject_id).first()
    if step is None or promotion is None:
        return None
    word, how, outcome = step
    still = promotion.state == fact.data["document"]["status"]["state"]
    what = f"{promotion.number} ({promotion.target_name} {promotion.version})"
    return Milestone(
        tickets=tickets_of(fact),
        word=word if still else "",
        said="" if fact.type in _SILENT else f"{what} {how}.",
        url=f"{settings.SITE_URL}/requests/{promotion.number}/",
        label=promotion.target_name,
        standing=f"{what} {how}",
        outcome=outcome if still else "",
    )
