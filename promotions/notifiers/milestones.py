"""What the facts of promotion requests mean for those who follow their tickets from outside."""

from __future__ import annotations

from django.conf import settings

from events.chain.kinds import environment_named
from events.connections.milestones import Milestone, Rollout, tickets_of
from events.models import DomainEvent
from promotions.models import PromotionRequest
from promotions.types import IMPORT_MAPS

# How it is told, in a status map's words, in a sentence, and as the status of a commit.
_STEPS = {
    "promotion.created": ("", "waits for approval", "pending"),
    "promotion.approved": ("request.approved", "is approved", "pending"),
    "promotion.glass_broken": ("request.approved", "is deployed without approval", "pending"),
    "deployment.started": ("", "is being deployed", "pending"),
    "promotion.rejected": ("request.rejected", "was rejected", "failure"),
    "promotion.withdrawn": ("", "was withdrawn", "failure"),
    "deployment.succeeded": ("request.deployed", "is deployed to production", "success"),
    "deployment.failed": ("request.failed", "could not be deployed", "failure"),
    "promotion.rolled_back": ("request.rolled_back", "was rolled back", "failure"),
}
_SILENT = {"promotion.created", "promotion.withdrawn", "deployment.started"}
_ROLLOUTS = {
    "deployment.started": "in_progress", "deployment.succeeded": "success", "deployment.failed": "failure",
    "promotion.rolled_back": "inactive",
}  # fmt: skip


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
        rollout=_rollout(fact, promotion) if still else None,
    )


def _rollout(fact: DomainEvent, promotion: PromotionRequest) -> Rollout | None:
    """Of a stamp's request only how it begins and fails: the stamp itself tells of its release and its end.

    What brings an earlier version back deploys none of the commits of the tickets that it names.
    """
    state = _ROLLOUTS.get(fact.type)
    if state is None or promotion.reverses_id is not None:
        return None
    production = environment_named(promotion.target_environment)
    if fact.data.get("deployer") != IMPORT_MAPS:
        return Rollout(f"promotion:{promotion.number}", state, f"{production}/{promotion.target_name}", replaces=True)
    if state not in {"in_progress", "failure"}:
        return None
    application = promotion.target_name.partition("/")[0]
    return Rollout(f"stamp:{promotion.target_name}", state, f"{production}/{application}")
