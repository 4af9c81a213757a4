"""The arithmetic of the four measures: no data is not zero, and what counts as a change, a failure, a recovery."""

from __future__ import annotations

import datetime as dt

import pytest

from events.chain.kinds import State
from events.measures.figures import failed_runs, grouped, measure, restore_spans, spell, stretches_of
from events.measures.runs import Run, Scope, Target

END = dt.datetime(2031, 5, 31, 12, tzinfo=dt.UTC)
MONTH = Scope(END - dt.timedelta(days=30), END)
HOUR = 3600.0


def run(
    days_ago: float,
    state: str = State.SUCCEEDED,
    *,
    name: str = "payment-api",
    lead: float | None = 2,
    rollback: bool = False,
    incident: float | None = None,
) -> Run:
    """A run that ended so long ago, of a change made `lead` hours before; it caused an incident of so many hours."""
    at = END - dt.timedelta(days=days_ago)
    incidents = [(at, at + dt.timedelta(hours=incident))] if incident is not None else []
    begun = [] if lead is None or rollback else [at - dt.timedelta(hours=lead)]
    return Run(at, state, Target("tenant-finance", name, "production"), rollback, begun, incidents)


def values(runs: list[Run]) -> list[float | None]:
    return [None if one.value is None else round(one.value, 3) for one in measure(runs, MONTH)]


def test_nothing_deployed_is_no_data():
    assert values([]) == [None, None, None, None]
    assert all(not one.series or set(one.series) == {None} for one in measure([], MONTH))


def test_only_failures_are_zero_deployments_and_no_lead_time():
    assert values([run(1, State.FAILED, lead=None)]) == [0.0, None, 1.0, None]


def test_only_successes_are_zero_failures_and_no_restore_time():
    assert values([run(1)]) == [round(1 / 30, 3), 2 * HOUR, 0.0, None]


def test_a_month():
    runs = [
        run(20, lead=1), run(10, State.FAILED, lead=None), run(9.5, lead=3), run(2, lead=8), run(1, State.ROLLED_BACK, lead=4),
    ]  # fmt: skip
    assert values(runs) == [round(4 / 30, 3), 3.5 * HOUR, 0.4, 12 * HOUR]


def test_a_rollback_is_no_change_but_restores():
    runs = [run(3), run(2), run(1.5, rollback=True)]
    told = measure(runs, MONTH)
    assert (told.deployments, told.failure_rate.count, told.failures) == (2, 2, 1)
    assert failed_runs(runs) == [runs[1]]
    assert restore_spans(runs) == [(runs[2].finished_at, 12 * HOUR)]


def test_a_rollback_of_what_is_known_as_rolled_back_is_one_failure():
    runs = [run(3), run(2, State.ROLLED_BACK), run(1.5, rollback=True)]
    assert failed_runs(runs) == [runs[1]]


def test_a_failed_rollback_takes_nothing_back():
    runs = [run(2), run(1, State.FAILED, rollback=True)]
    assert failed_runs(runs) == []


def test_a_deployment_that_caused_an_incident_failed_and_is_restored_with_it():
    runs = [run(2, incident=3), run(1)]
    told = measure(runs, MONTH)
    assert (told.failure_rate.value, told.restore_time.value, told.restore_time.count) == (0.5, 3 * HOUR, 1)


def test_an_incident_that_lasts_is_a_failure_without_a_recovery():
    lasting = run(2)
    lasting.incidents = [(lasting.finished_at, None)]
    assert values([lasting])[2:] == [1.0, None]


def test_recovery_is_from_the_first_failure_to_the_next_success_of_the_same_target():
    runs = [run(5, State.FAILED), run(4, State.FAILED), run(3.9, name="other"), run(3)]
    assert restore_spans(runs) == [(runs[3].finished_at, 2 * 86_400)]


def test_series_tell_zero_from_no_data():
    told = measure([run(29.5), run(0.5), run(0.1, State.FAILED)], MONTH)
    frequency, rate = told.frequency.series, told.failure_rate.series
    assert (len(frequency), frequency[0], frequency[1], frequency[-1]) == (30, 1, 0, 1)
    assert (rate[0], rate[1], rate[-1]) == (0.0, None, 0.5)


@pytest.mark.parametrize(("days", "count"), [(0.1, 1), (7, 7), (45, 45), (90, 13), (366, 53)])
def test_long_periods_are_told_by_weeks(days, count):
    assert len(stretches_of(Scope(END - dt.timedelta(days=days), END))) == count


def test_groups_and_words():
    assert {name: len(some) for name, some in grouped([run(1), run(2), run(3, name="b")], "service").items()} == {
        "payment-api": 2, "b": 1,
    }  # fmt: skip
    assert [spell(seconds) for seconds in (5, 90, 2 * HOUR, 36 * HOUR)] == ["5 s", "1.5 min", "2.0 h", "1.5 d"]
