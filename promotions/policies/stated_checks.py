"""The pre-checks the requester stated, as verdicts."""

from __future__ import annotations

from promotions.models import PromotionRequest
from promotions.policies.base import Outcome, Verdict
from promotions.selectors import judgement_of


class StatedChecks:
    """Tests and scan must have passed; missing performance tests are only a warning."""

    def check(self, promotion: PromotionRequest) -> list[Verdict]:
        if judgement_of(promotion) is not None:  # policies were asked instead of a person: `stamped checks` tells
            return []
        stated = (
            ("Staging tests", promotion.staging_tests_passed, Outcome.BLOCK),
            ("Security scan", promotion.security_scan_passed, Outcome.BLOCK),
            ("Performance tests", promotion.performance_tests_passed, Outcome.WARN),
        )
        return [
            Verdict(
                title=title,
                outcome=Outcome.PASS if passed else otherwise,
                reason="Passed" if passed else "Not passed",
                source=f"stated by {promotion.author.get_full_name()}",
                at=promotion.updated_at,
            )
            for title, passed, otherwise in stated
        ]
