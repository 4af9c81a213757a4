"""Refusals of stamps that have a status or details of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.errors import Conflict, DomainError, NotFound
from iep.types import Conflict as Clash
from iep.types import Verdict


class UnknownTicket(NotFound):
    code = "unknown_ticket"


class RevisionConflict(Conflict):
    """The stamp, or production, moved on since the caller read it."""

    status = 412
    code = "revision_conflict"


class MissingBlobs(Conflict):
    """The manifest names bytes that the application does not have yet."""

    code = "missing_blobs"

    def __init__(self, missing: Iterable[str]) -> None:
        digests = sorted(missing)
        sentence = f"{len(digests)} of the files are not here yet. PUT them below blobs/, then send this again."
        super().__init__(sentence, details={"missing": digests})


class NotInDev(DomainError):
    """Files change in dev only."""

    status = 423
    code = "not_in_dev"
    title = "Files change in dev only"


class KeyConflict(Conflict):
    """Production has another file by now than the ticket started from."""

    code = "key_conflict"

    def __init__(self, conflicts: Iterable[Clash]) -> None:
        found = list(conflicts)
        names = ", ".join(conflict.path for conflict in found[:5])
        super().__init__(
            f"Production changed {names} since the ticket did. Rebase: keep the ticket's version (mine) or "
            "production's (theirs) of each.",
            details={"conflicts": [conflict.as_json() for conflict in found]},
        )


class Twins(Conflict):
    """Two paths that are one file on some systems."""

    code = "twins"

    def __init__(self, found: Mapping[str, str]) -> None:
        sentences = [f"{new} and {old} are one file on some systems." for new, old in sorted(found.items())]
        super().__init__(
            f"{' '.join(sentences[:5])} Rename one, or remove the one that is there.", details={"paths": sorted(found)}
        )


class ChangedSince(Conflict):
    """A later release changed what is to be taken back."""

    code = "changed_since"


class BadSignature(DomainError):
    """Nobody who is trusted signed this."""

    status = 422
    code = "bad_signature"
    title = "The signature does not fit"


class PolicyRefused(DomainError):
    """A policy says no, or could not be asked."""

    status = 422
    code = "policy_refused"
    title = "A policy refuses this"

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        every = list(verdicts)
        # Two policies may miss the same thing; one sentence says it.
        against = " ".join(dict.fromkeys(verdict.reason for verdict in every if verdict.outcome == "block"))
        super().__init__(against, details={"verdicts": [verdict.as_json() for verdict in every]})
        self.judgement: Any = None  # what is on record of it, where that was not undone with the caller's transaction
