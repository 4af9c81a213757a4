"""The four delivery figures: computed from deployments, and no data is not zero."""

from __future__ import annotations

import datetime as dt

from promotions.pages.figures import Run, figures_of, per_day, recovery_seconds

MOMENT = dt.datetime(2031, 5, 31, 12, tzinfo=dt.UTC)


def run(
    days_ago: float, *, good: bool = True, name: str = "payment-api", lead: float = 2, rolled_back: bool = False
) -> Run:
    at = MOMENT - dt.timedelta(days=days_ago)
    return Run(at, good, (1, "api", name), at - dt.timedelta(hours=lead), rolled_back)


def values(runs) -> dict[str, str | None]:
    return {figure.label: figure.value for figure in figures_of(runs, MOMENT)}


def test_nothing_deployed_is_no_data():
    assert values([]) == {"Deployments": None, "Lead time": None, "Change failures": None, "Recovery": None}


def test_only_failures_are_zero_deployments_and_no_lead_time():
    assert values([run(1, good=False)]) == {
        "Deployments": "0.0 a week", "Lead time": None, "Change failures": "100 %", "Recovery": None,
    }  # fmt: skip


def test_figures_of_a_month():
    runs = [run(20, lead=1), run(10, good=False), run(9.5, lead=3), run(2, lead=8), run(1, rolled_back=True, lead=4)]
    assert values(runs) == {
        "Deployments": "0.9 a week", "Lead time": "3.5 h", "Change failures": "40 %", "Recovery": "12.0 h",
    }  # fmt: skip


def test_recovery_is_from_the_first_failure_to_the_next_success_of_the_same_target():
    runs = [run(5, good=False), run(4, good=False), run(3.9, name="other"), run(3)]
    assert recovery_seconds(runs) == [2 * 86_400]


def test_days_are_counted_oldest_first():
    series = per_day([run(29.5), run(0.5), run(0.1)], MOMENT)
    assert (len(series), series[0], series[-1], sum(series)) == (30, 1, 2, 3)
