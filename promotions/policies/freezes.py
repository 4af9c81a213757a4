"""Whether production is frozen for what is asked for: see events/chain/freezes.py."""

from __future__ import annotations

from core.clock import now
from events.chain.clearance import freezes_in_force
from promotions.models import PromotionRequest
from promotions.policies.base import Outcome, Verdict
from promotions.states import State


class NoFreeze:
    """Blocks what a freeze holds up at the hour it would deploy; warns of it for a rollback, which goes through."""

    def check(self, promotion: PromotionRequest) -> list[Verdict]:
        if promotion.state not in (State.PENDING, State.SCHEDULED):
            return []
        due = max(promotion.scheduled_at or now(), now())
        held = freezes_in_force(promotion.tenant, promotion.target_name, promotion.target_environment, at=due)
        outcome = Outcome.WARN if promotion.reverses_id else Outcome.BLOCK
        return [
            Verdict(
                "Freeze", outcome, f"{freeze.what} is frozen until {freeze.ends_at:%Y-%m-%d %H:%M} UTC: {freeze.reason}",
                "declared freezes", freeze.starts_at,
            )
            for freeze in held
        ]  # fmt: skip
