"""Deployments that several sources reported, such as a webhook and a Tracker event: which reports are of the same one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from events.chain.kinds import State

if TYPE_CHECKING:
    from events.measures.runs import Run, Target

WINDOW = dt.timedelta(minutes=30)


def reporter_of(key: str) -> str:
    """Who reported the deployment that the chain has under this key: a source of CDEvents, our requests, or Tracker."""
    source, mark, _ = key.rpartition("#")
    return source if mark else "requests" if key.startswith("deploy-") else "tracker"


def without_twins(runs: Sequence[Run]) -> list[tuple[Run, list[Run]]]:
    """Each deployment once, oldest first, with the further reports of it; the first report counts.

    Reports are of the same one when different sources made them of the same service and environment, with the same
    outcome, within half an hour, and of the same version or with a commit, change or request in common. The same source
    twice is two deployments.
    """
    told: list[tuple[Run, list[Run]]] = []
    recent: dict[Target, list[tuple[Run, list[Run]]]] = {}
    for run in runs:
        near = [pair for pair in recent.get(run.target, []) if run.finished_at - pair[0].finished_at <= WINDOW]
        recent[run.target] = near
        same = next((pair for pair in reversed(near) if _is_same(pair, run)), None)
        if same is None:
            pair: tuple[Run, list[Run]] = (run, [])
            told.append(pair)
            near.append(pair)
            continue
        same[1].append(run)
        same[0].repeats += 1
        if run.state == State.ROLLED_BACK:
            same[0].state = run.state
    return told


def _is_same(pair: tuple[Run, list[Run]], run: Run) -> bool:
    first, others = pair
    if first.rollback != run.rollback or (first.state == State.FAILED) != (run.state == State.FAILED):
        return False
    known = [first, *others]
    if any(one.reporter == run.reporter for one in known):
        return False
    return any((run.version and one.version == run.version) or run.marks & one.marks for one in known)
