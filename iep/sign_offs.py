"""What the service needs of whoever is asked before production changes; promotion requests are one (settings)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from accounts.models import User
from iep.models import Stamp
from iep.types import Verdict


@dataclass(frozen=True, slots=True)
class Standing:
    """How a request stands: its state in a word, its address on this site, empty for who may not see it."""

    state: str
    address: str


class SignOff(Protocol):
    """Asks people; when they have agreed, it has `release_stamp` called with what they agreed to."""

    def ask(self, stamp: Stamp, by: User, message: str, verdicts: Sequence[Verdict]) -> str:
        """Ask for the stamp at this revision, of which the policies said this, in the caller's transaction; the number."""

    def standing(self, number: str, user: User) -> Standing:
        """How the request stands, as far as `user` may know."""

    def approve(self, number: str, by: User, comment: str) -> None:
        """Agree in the name of `by`, with all the rules of requests."""
