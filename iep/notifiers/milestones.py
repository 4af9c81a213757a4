"""What the facts of stamps mean for those who follow their tickets from outside."""

from __future__ import annotations

from django.conf import settings

from events.connections.milestones import Milestone, Rollout
from events.models import DomainEvent
from iep.models import Stamp
from iep.states import Stage
from iep.wire import preview_of

OUTCOMES = {Stage.DEV: "pending", Stage.QA: "pending", Stage.PROD: "success"}
_HOW = {
    "stamp.opened": "can be looked at in dev", "stamp.reopened": "is back in dev", "stamp.promoted": "is in QA",
    "stamp.reverted": "is back in dev", "stamp.sign_off_asked": "waits for sign-off",
    "stamp.released": "is in production", "stamp.taken_back": "was taken out of production, and is in QA",
    "stamp.closed": "was closed",
}  # fmt: skip
_ROLLOUTS = {"stamp.released": "success", "stamp.taken_back": "inactive"}
# What is worth a comment on the ticket's issue.
_SAID = {
    "stamp.promoted": "{0} can be tested in QA on {1}.", "stamp.released": "{0} is in production of {1}.",
    "stamp.taken_back": "{0} was taken out of production of {1}.", "stamp.closed": "{0} was closed on {1}.",
}  # fmt: skip


def read(fact: DomainEvent) -> Milestone | None:
    """A step from stage to stage; without a word and a preview once the ticket is in another stage."""
    how = _HOW.get(fact.type)
    stamp = Stamp.objects.select_related("application__tenant", "ticket").filter(
        application__tenant=fact.tenant_id, application__slug=fact.data["application"], ticket__key=fact.data["ticket"]
    ).first()  # fmt: skip
    if how is None or stamp is None:
        return None
    slug, key, stage = stamp.application.slug, stamp.ticket.key, str(fact.data["stage"])
    still = stamp.stage == stage
    return Milestone(
        tickets=(key,),
        word=f"stamp.{stage}" if still else "",
        said=_SAID.get(fact.type, "").format(key, stamp.application.name),
        url=f"{settings.SITE_URL}/iep/{slug}/{key}/",
        preview=(preview_of(stamp) or "") if still else "",
        label=slug,
        standing=f"{key} {how}",
        outcome=OUTCOMES.get(Stage(stage), "") if still else "",
        rollout=Rollout(f"stamp:{slug}/{key}", _ROLLOUTS[fact.type], f"production/{slug}")
        if still and fact.type in _ROLLOUTS
        else None,
    )
