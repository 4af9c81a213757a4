"""What the configured policies say of a request, and the refusal when one blocks."""

from __future__ import annotations

from django.conf import settings

from core.errors import Conflict
from core.plugins import load_plugin
from promotions.models import PromotionRequest
from promotions.policies.base import Outcome, Verdict


def judge(promotion: PromotionRequest) -> list[Verdict]:
    """The verdicts of all policies, in the order of the POLICIES setting."""
    return [verdict for name in settings.POLICIES for verdict in load_plugin("POLICIES", name).check(promotion)]


def refuse_if_blocked(promotion: PromotionRequest) -> None:
    """Conflict (policy_blocked) naming every blocking verdict."""
    blocking = [verdict for verdict in judge(promotion) if verdict.outcome == Outcome.BLOCK]
    if blocking:
        reasons = "; ".join(_told(verdict) for verdict in blocking)
        raise Conflict(
            f"A policy stops this approval. {reasons}.",
            code="policy_blocked",
            details={"policies": [verdict.title for verdict in blocking]},
        )


def blocking_policies(promotion: PromotionRequest) -> list[str]:
    """What would stop an approval, each with its reason."""
    return [_told(verdict) for verdict in judge(promotion) if verdict.outcome == Outcome.BLOCK]


def _told(verdict: Verdict) -> str:
    return f"{verdict.title}: {verdict.reason}"
