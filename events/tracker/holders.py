"""Who sends events again and again is looked up once, and confirmed with each writing."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.selectors import Holder, find_holders, still_holds
from core.sql import Statement, required
from events.tracker.rights import CAPABILITIES

MOST = 1000


class KnownHolders:
    """Holders of tokens who were looked up before: nobody asks for them again, but the database has to confirm them in
    the transaction that is written for them.
    """

    def __init__(self) -> None:
        self._holders: dict[str, Holder] = {}

    def find(self, secrets: Iterable[str]) -> tuple[dict[str, Holder], list[Statement]]:
        """The holders, and what has to be confirmed of those that were known already; whoever is missing has no right."""
        distinct = dict.fromkeys(secrets)
        known = [self._holders[secret] for secret in distinct if secret in self._holders]
        unknown = [secret for secret in distinct if secret not in self._holders]
        if unknown:
            found = zip(unknown, find_holders(unknown, *CAPABILITIES), strict=True)
            self._holders |= {secret: holder for secret, holder in found if holder}
        holders = {secret: self._holders[secret] for secret in distinct if secret in self._holders}
        if len(self._holders) > MOST:
            self._holders.clear()
        return holders, [required(still_holds(holder)) for holder in known]

    def forget(self, *secrets: str) -> None:
        """Look at them anew the next time."""
        for secret in secrets:
            self._holders.pop(secret, None)
