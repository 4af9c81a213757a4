"""The four delivery figures of the requests a person may see; no data is something else than zero."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from accounts.models import User
from core.clock import now
from promotions.models import Deployment, PromotionRequest
from promotions.states import DeploymentState, State

WINDOW = dt.timedelta(days=30)
MOST_READ = 3000


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: None means that nothing happened from which it could be told."""

    label: str
    value: str | None
    note: str
    series: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Run:
    """One finished deployment, as far as the figures need it."""

    finished_at: dt.datetime
    good: bool
    target: tuple[int, str, str]
    asked_at: dt.datetime
    rolled_back: bool


def delivery_figures(user: User) -> list[Figure]:
    """Frequency, lead time, change failure rate and recovery over the last 30 days, from deployments."""
    return figures_of(finished_runs(user), now())


def finished_runs(user: User) -> list[Run]:
    """The deployments of the window that ended well or badly, oldest first; one query, the newest 3,000 at most."""
    rows = (
        Deployment.objects.filter(
            promotion__in=PromotionRequest.objects.visible_to(user),
            state__in=[DeploymentState.SUCCEEDED, DeploymentState.FAILED],
            finished_at__gte=now() - WINDOW,
        )
        .order_by("-finished_at")
        .values_list(
            "finished_at", "state", "promotion__tenant_id", "promotion__target_type", "promotion__target_name",
            "promotion__created_at", "promotion__state",
        )[:MOST_READ]
    )  # fmt: skip
    runs = [
        Run(at, state == DeploymentState.SUCCEEDED, (tenant, kind, name), asked, of_state == State.ROLLED_BACK)
        for at, state, tenant, kind, name, asked, of_state in rows
        if at is not None
    ]
    return runs[::-1]


def figures_of(runs: Sequence[Run], moment: dt.datetime) -> list[Figure]:
    """The figures of finished runs, oldest first."""
    good = [run for run in runs if run.good]
    bad = [run for run in runs if not run.good or run.rolled_back]
    leads = [(run.finished_at - run.asked_at).total_seconds() for run in good]
    recoveries = recovery_seconds(runs)
    return [
        Figure(
            "Deployments",
            _per_week(len(good)) if runs else None,
            f"{len(good)} in 30 days" if runs else "none in 30 days",
            per_day(good, moment) if runs else [],
        ),
        Figure("Lead time", spell(statistics.median(leads)) if leads else None, "request to production, median"),
        Figure(
            "Change failures",
            f"{100 * len(bad) / len(runs):.0f} %" if runs else None,
            f"{len(bad)} of {len(runs)} failed or rolled back" if runs else "of deployments in 30 days",
        ),
        Figure(
            "Recovery",
            spell(statistics.median(recoveries)) if recoveries else None,
            "failure to next success, median" if recoveries else "nothing had to recover",
        ),
    ]


def _per_week(count: int) -> str:
    return f"{count / (WINDOW.days / 7):.1f} a week"


def per_day(runs: Sequence[Run], moment: dt.datetime) -> list[int]:
    """How many ended on each day of the window, oldest first."""
    days = [0] * WINDOW.days
    for run in runs:
        ago = (moment - run.finished_at).days
        if 0 <= ago < WINDOW.days:
            days[WINDOW.days - 1 - ago] += 1
    return days


def recovery_seconds(runs: Sequence[Run]) -> list[float]:
    """For each target that failed: from its first failure to its next success."""
    broken: dict[tuple[int, str, str], dt.datetime] = {}
    spans = []
    for run in runs:
        if not run.good:
            broken.setdefault(run.target, run.finished_at)
        elif run.target in broken:
            spans.append((run.finished_at - broken.pop(run.target)).total_seconds())
    return spans


def spell(seconds: float) -> str:
    """A duration with two digits that matter."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
