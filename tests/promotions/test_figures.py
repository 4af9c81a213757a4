"""The overview's words for the four measures; the arithmetic is tested in tests/events/measures."""

from __future__ import annotations

from events.chain.kinds import State
from events.measures.figures import measure
from promotions.pages.figures import delivery_figures, figures_of
from tests.events.measures.test_figures import MONTH, run


def values(runs) -> dict[str, str | None]:
    return {figure.label: figure.value for figure in figures_of(measure(runs, MONTH))}


def test_nothing_deployed_is_no_data(viewer):
    nothing = {"Deployments": None, "Lead time": None, "Change failures": None, "Recovery": None}
    assert values([]) == nothing
    assert {figure.label: figure.value for figure in delivery_figures(viewer)} == nothing


def test_only_failures_are_zero_deployments_and_no_lead_time():
    assert values([run(1, State.FAILED, lead=None)]) == {
        "Deployments": "0.0 a week", "Lead time": None, "Change failures": "100 %", "Recovery": None,
    }  # fmt: skip


def test_figures_of_a_month():
    runs = [run(20, lead=1), run(10, State.FAILED), run(9.5, lead=3), run(2, lead=8), run(1, State.ROLLED_BACK, lead=4)]
    assert values(runs) == {
        "Deployments": "0.9 a week", "Lead time": "3.5 h", "Change failures": "40 %", "Recovery": "12.0 h",
    }  # fmt: skip
