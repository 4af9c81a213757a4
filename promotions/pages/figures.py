"""The four delivery figures of the overview, as words: what events/measures tells of what the person may see."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from accounts.models import User
from core.clock import now
from events.measures.figures import Measures, measure, spell
from events.measures.runs import Scope, finished_runs

WINDOW = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: None means that nothing happened from which it could be told."""

    label: str
    value: str | None
    note: str
    series: list[int] = field(default_factory=list)


def delivery_figures(user: User) -> list[Figure]:
    """Frequency, lead time, change failure rate and time to restore over the last 30 days."""
    moment = now()
    scope = Scope(moment - WINDOW, moment)
    return figures_of(measure(finished_runs(user, scope), scope))


def figures_of(measures: Measures) -> list[Figure]:
    """The measures as the overview shows them."""
    changes, lead, restore = measures.failure_rate.count, measures.lead_time.value, measures.restore_time.value
    rate, frequency = measures.failure_rate.value, measures.frequency.value
    return [
        Figure(
            "Deployments",
            None if frequency is None else f"{frequency * 7:.1f} a week",
            f"{measures.deployments} in 30 days" if changes else "none in 30 days",
            [int(value or 0) for value in measures.frequency.series],
        ),
        Figure("Lead time", None if lead is None else spell(lead), "change or request to deployment, median"),
        Figure(
            "Change failures",
            None if rate is None else f"{100 * rate:.0f} %",
            f"{measures.failures} of {changes} went wrong" if changes else "of deployments in 30 days",
        ),
        Figure(
            "Recovery",
            None if restore is None else spell(restore),
            "until it was well again, median" if restore is not None else "nothing had to recover",
        ),
    ]
