"""What an application's policies said of the ticket that a request asks for: each verdict, and what nobody checked."""

from __future__ import annotations

from iep.models import Judgement
from promotions.models import PromotionRequest
from promotions.policies.base import Outcome, Verdict
from promotions.selectors import judgement_of
from promotions.types import PRE_CHECKS


class StampedChecks:
    """The pre-checks by the policies of their names, then every other verdict; one that nobody asked for has not passed."""

    def check(self, promotion: PromotionRequest) -> list[Verdict]:
        judgement = judgement_of(promotion)
        if judgement is None:
            return []
        said = {verdict["policy"]: verdict for verdict in judgement.verdicts}
        found = [self._pre_check(promotion, judgement, field, policy, said) for field, policy in PRE_CHECKS.items()]
        others = [verdict for policy, verdict in said.items() if policy not in PRE_CHECKS.values()]
        return found + [_told(judgement, verdict) for verdict in others]

    def _pre_check(
        self,
        promotion: PromotionRequest,
        judgement: Judgement,
        field: str,
        policy: str,
        said: dict[str, dict[str, str]],
    ) -> Verdict:
        if policy in said:
            return _told(judgement, said[policy])
        title = policy.capitalize()
        if getattr(promotion, field):  # an edit of the request: a person put their name to it
            name = promotion.author.get_full_name()
            return Verdict(title, Outcome.PASS, "Passed", f"stated by {name}", promotion.updated_at)
        application = promotion.target_name.partition("/")[0]
        reason = f"Not known, which counts as not passed: {application} has no policy “{policy}”"
        return Verdict(title, Outcome.WARN, reason, f"policies of {application}", judgement.created_at)


def _told(judgement: Judgement, verdict: dict[str, str]) -> Verdict:
    source = f"policy of {judgement.stamp.application.slug}, asked of revision {judgement.revision}"
    reason = verdict["reason"].rstrip(".")
    return Verdict(verdict["policy"].capitalize(), Outcome(verdict["outcome"]), reason, source, judgement.created_at)
