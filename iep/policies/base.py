"""What a policy is: one question about a step to the next stage, answered by a verdict with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from accounts.models import User
from iep.models import Stamp
from iep.types import Outcome, Verdict

__all__ = ["Outcome", "Policy", "Step", "Verdict"]


@dataclass(frozen=True, slots=True)
class Step:
    """What is to happen: this stamp to the stage `target`, on behalf of `by`; `git` is what the developer says of git."""

    stamp: Stamp
    target: str
    by: User
    git: dict[str, Any] | None

    def options(self, policy: str) -> dict[str, Any]:
        """What the application sets for a policy."""
        found = self.stamp.application.policy_options.get(policy, {})
        return found if isinstance(found, dict) else {}


class Policy(Protocol):
    """Judges steps; quick, without side effects. One that fails or takes too long counts as a refusal."""

    def check(self, step: Step) -> Verdict:
        """The verdict with a reason that tells people what to do."""
