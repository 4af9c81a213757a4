"""What a policy is: one question asked of a request, answered by a verdict with its reason, source and time."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from promotions.models import PromotionRequest


class Outcome(StrEnum):
    PASS = "pass"
    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One policy's answer: `title` names the question, `source` says where the answer was found."""

    title: str
    outcome: Outcome
    reason: str
    source: str
    at: dt.datetime


class PolicyCheck(Protocol):
    """Judges requests from what the database knows; quick, without side effects, nothing outside is called."""

    def check(self, promotion: PromotionRequest) -> list[Verdict]:
        """The verdicts on `promotion`, none when the policy does not concern it."""
