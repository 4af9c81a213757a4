"""The arithmetic of the four measures; None says that nothing happened from which one could be told, which is not zero."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from events.chain.kinds import State
from events.measures.runs import Run, Scope, Target

DAY = dt.timedelta(days=1)
DAILY_UP_TO = 45
Point = tuple[dt.datetime, float]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure: its value in `unit` (None: no data), from how many things, and its course over the period.

    `series` has a value for each stretch of the period, oldest first; None where there is no data.
    """

    name: str
    value: float | None
    unit: str
    count: int
    series: list[float | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Measures:
    """All four of a scope; `stretches` are the beginnings of what the series are divided into.

    `repeats` are reports of deployments that another source reported too: they count as nothing.
    """

    scope: Scope
    frequency: Measure
    lead_time: Measure
    failure_rate: Measure
    restore_time: Measure
    deployments: int
    failures: int
    stretches: list[dt.datetime]
    repeats: int = 0

    def __iter__(self) -> Iterator[Measure]:
        return iter((self.frequency, self.lead_time, self.failure_rate, self.restore_time))


def measure(runs: Sequence[Run], scope: Scope) -> Measures:
    """The measures of finished runs, oldest first."""
    changes = [run for run in runs if not run.rollback]
    failures = failed_runs(runs)
    good = [run for run in changes if run.state != State.FAILED]
    spans = restore_spans(runs)
    leads = [(run.finished_at, (run.finished_at - begun).total_seconds()) for run in good for begun in run.begun]
    stretches = stretches_of(scope)
    ends = [*stretches[1:], scope.until]

    def course(points: Sequence[Point], tell: Callable[[list[float]], float | None]) -> list[float | None]:
        return [
            tell([value for at, value in points if begin <= at < end])
            for begin, end in zip(stretches, ends, strict=True)
        ]

    outcomes = [(run.finished_at, float(run in failures)) for run in changes]
    return Measures(
        scope,
        Measure(
            "deployment_frequency", len(good) / (_days(scope)) if changes else None, "per day", len(good),
            course([(run.finished_at, 1.0) for run in good], sum) if changes else [],
        ),
        Measure("lead_time", _median([s for _, s in leads]), "seconds", len(leads), course(leads, _median)),
        Measure(
            "change_failure_rate", _mean([v for _, v in outcomes]), "ratio", len(changes), course(outcomes, _mean)
        ),
        Measure("time_to_restore", _median([s for _, s in spans]), "seconds", len(spans), course(spans, _median)),
        len(good), len(failures), stretches, sum(run.repeats for run in runs),
    )  # fmt: skip


def _days(scope: Scope) -> float:
    return max((scope.until - scope.since) / DAY, 1.0)


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def failed_runs(runs: Sequence[Run]) -> list[Run]:
    """The changes that failed: at once, by being taken back afterwards, or by causing an incident."""
    failed = []
    last: dict[Target, Run] = {}
    for run in runs:
        if run.rollback:
            taken_back = last.get(run.target)
            if taken_back is not None and taken_back not in failed and run.state != State.FAILED:
                failed.append(taken_back)
            continue
        if run.state != State.SUCCEEDED or run.incidents:
            failed.append(run)
        if run.state != State.FAILED:
            last[run.target] = run
    return failed


def restore_spans(runs: Sequence[Run]) -> list[tuple[dt.datetime, float]]:
    """When something was well again, and how many seconds it was not.

    Of an incident that a deployment caused: from its beginning to its end. Of any other failed change: from its end to the
    next good deployment of the same service there, a rollback included; failures in a row are one.
    """
    failed = {id(run) for run in failed_runs(runs)}
    broken: dict[Target, dt.datetime] = {}
    spans = []
    for run in runs:
        if run.state != State.FAILED and run.target in broken:
            since = broken.pop(run.target)
            spans.append((run.finished_at, (run.finished_at - since).total_seconds()))
        spans += [(ended, (ended - begun).total_seconds()) for begun, ended in run.incidents if ended is not None]
        if id(run) in failed and not run.incidents:
            broken.setdefault(run.target, run.finished_at)
    return sorted(spans)


def stretches_of(scope: Scope) -> list[dt.datetime]:
    """The beginnings of the days of a short period, of the weeks of a long one."""
    step = DAY if scope.until - scope.since <= DAY * DAILY_UP_TO else DAY * 7
    count = max(-(-(scope.until - scope.since) // step), 1)
    return [scope.since + step * number for number in range(min(count, 400))]


def grouped(runs: Sequence[Run], by: str) -> dict[str, list[Run]]:
    """The runs of each tenant, service or environment."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(getattr(run.target, by), []).append(run)
    return groups


def spell(seconds: float) -> str:
    """A duration with two digits that matter."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
