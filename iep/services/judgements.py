"""What policies said is kept beside what it was said of, so that whoever decides later reads it and need not believe."""

from __future__ import annotations

from collections.abc import Sequence

from accounts.models import User
from iep.errors import PolicyRefused
from iep.models import Judgement, Stamp
from iep.types import Verdict


def keep_after_all(refusal: PolicyRefused) -> None:
    """Record what refused a promotion again when the caller's transaction, undone by the refusal, took the record along."""
    judgement: Judgement | None = refusal.judgement
    if judgement is not None and not Judgement.objects.filter(pk=judgement.pk).exists():
        judgement.pk = None
        judgement.save(force_insert=True)


def keep_judgement(
    stamp: Stamp, target: str, by: User | None, verdicts: Sequence[Verdict], request: str = ""
) -> Judgement | None:
    """Record the verdicts on this step; nothing when no policy was asked and no request rests on it."""
    if not verdicts and not request:
        return None
    told = [verdict.as_json() for verdict in verdicts]
    return Judgement.objects.create(
        stamp=stamp, revision=stamp.revision, target=target, by=by, request=request, verdicts=told
    )
