"""Whether staging really runs the version that is to go to production."""

from __future__ import annotations

from core.clock import now
from promotions.models import PromotionRequest, RunningVersion
from promotions.policies.base import Outcome, Verdict
from promotions.selectors import running_versions


class StagingRunsVersion:
    """Warns when staging runs another version, or nothing is known of it; a rollback does not concern staging."""

    def check(self, promotion: PromotionRequest) -> list[Verdict]:
        if promotion.reverses_id:
            return []
        return [self._judge(promotion, running_versions(promotion).get(promotion.source_environment))]

    def _judge(self, promotion: PromotionRequest, running: RunningVersion | None) -> Verdict:
        if running is None:
            outcome, reason = Outcome.WARN, f"Nothing is known of {promotion.target_name} in staging"
        elif running.version != promotion.version:
            outcome, reason = Outcome.WARN, f"Staging runs {running.version}, not {promotion.version}"
        else:
            outcome, reason = Outcome.PASS, f"Staging runs {running.version}"
        return Verdict(
            title="Runs in staging",
            outcome=outcome,
            reason=reason,
            source="recorded deployments",
            at=running.since if running else now(),
        )
