"""A deployment that two sources report counts once; what only looks alike counts as often as it happened."""

from __future__ import annotations

import datetime as dt

import pytest

from core.clock import now
from events.chain.following import follow_log
from events.chain.kinds import State
from events.measures.figures import measure
from events.measures.runs import Run, Scope, Target, finished_runs
from events.measures.twins import reporter_of, without_twins
from tests.api import call_as
from tests.events.cdevents.conftest import Sender
from tests.events.chain.conftest import record  # noqa: F401 (fixture)

END = dt.datetime(2031, 5, 31, 12, tzinfo=dt.UTC)
SHA = "d" * 40


def told(minute: int, reporter: str, version: str = "2.1.0", *, state: str = State.SUCCEEDED, **more) -> Run:
    target = Target("tenant-finance", more.pop("service", "shop"), "production")
    return Run(END + dt.timedelta(minutes=minute), state, target, reporter=reporter, version=version, **more)


@pytest.mark.parametrize(
    ("runs", "counted"),
    [
        ([told(0, "/ci"), told(9, "tracker")], 1),
        ([told(0, "/ci"), told(9, "tracker"), told(12, "requests")], 1),
        ([told(0, "/ci"), told(9, "/ci")], 2),
        ([told(0, "/ci"), told(1, "tracker"), told(9, "/ci"), told(10, "tracker")], 2),
        ([told(0, "/ci"), told(31, "tracker")], 2),
        ([told(0, "/ci"), told(9, "tracker", "2.2.0")], 2),
        ([told(0, "/ci", ""), told(9, "tracker", "")], 2),
        ([told(0, "/ci", SHA, marks=frozenset({("commit", 1)})),
          told(9, "tracker", "", marks=frozenset({("change", 2), ("commit", 1)}))], 1),
        ([told(0, "/ci"), told(9, "tracker", service="ledger")], 2),
        ([told(0, "/ci", state=State.FAILED), told(9, "tracker")], 2),
        ([told(0, "/ci", state=State.FAILED), told(9, "tracker", state=State.FAILED)], 1),
        ([told(0, "/ci"), told(9, "tracker", rollback=True)], 2),
    ],
)  # fmt: skip
def test_which_reports_are_of_one_deployment(runs, counted):
    found = without_twins(runs)
    assert len(found) == counted
    assert sum(run.repeats for run, _ in found) == len(runs) - counted


def test_what_was_taken_back_by_one_account_was_taken_back():
    ((run, others),) = without_twins([told(0, "tracker"), told(1, "requests", state=State.ROLLED_BACK)])
    assert (run.state, len(others)) == (State.ROLLED_BACK, 1)


def test_who_reports():
    keys = {"/ci#17": "/ci", "https://x/y#a#b": "https://x/y#a", "deploy-7": "requests", "0c": "tracker"}
    assert {key: reporter_of(key) for key in keys} == keys


def test_a_webhook_and_a_tracker_event_about_one_commit_count_once(devops, cpi, tenant, record):  # noqa: F811
    """The pull request joins them: one names its address, the other the commit as which it was merged."""
    sender, url = Sender(call_as(devops)), "https://github.com/acme/shop/pull/7"
    moment = now().strftime("%Y-%m-%dT%H:%M:%SZ")
    context = {"specversion": "0.5.1", "source": "/ci", "timestamp": moment}
    merged = {
        "context": context | {"id": "m", "type": "dev.cdevents.change.merged.0.3.0"},
        "subject": {"id": "7", "source": "https://github.com/acme/shop", "content": {}},
        "customData": {"stagepass": {"url": url, "title": "Pay", "mergeCommit": SHA}},
    }
    deployed = {
        "context": context | {"id": "d", "type": "dev.cdevents.service.deployed.0.3.0"},
        "subject": {"id": "shop", "content": {
            "environment": {"id": "prod"}, "artifactId": f"pkg:github/acme/shop@{SHA}"}},
    }  # fmt: skip
    for body in (deployed, merged):
        assert sender.send(body).status_code == 201
    record(title="Deploy shop 4.2.0", service="shop", pull_request_link=url)
    follow_log()
    scope = Scope(now() - dt.timedelta(days=1), now() + dt.timedelta(minutes=1))
    measures = measure(finished_runs(cpi, scope), scope)
    assert (measures.deployments, measures.repeats) == (1, 1)
    answer = call_as(cpi).get("/v1/measures").json()
    assert (answer["deployments"], answer["repeats"]) == (1, 1)


def test_a_change_that_is_deployed_again_has_led_once(devops, cpi, tenant):
    sender = Sender(call_as(devops))
    moments = [(now() - dt.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (9, 6, 3)]
    merged = {
        "context": {"specversion": "0.5.1", "source": "/ci", "timestamp": moments[0], "id": "m",
                    "type": "dev.cdevents.change.merged.0.3.0"},
        "subject": {"id": "7", "source": "https://github.com/acme/shop", "content": {}},
        "customData": {"stagepass": {"url": "https://github.com/acme/shop/pull/7", "mergeCommit": SHA}},
    }  # fmt: skip
    assert sender.send(merged).status_code == 201
    for number, moment in enumerate(moments[1:]):
        deployed = {
            "context": merged["context"]
            | {"id": f"d{number}", "timestamp": moment, "type": "dev.cdevents.service.deployed.0.3.0"},
            "subject": {"id": "shop", "content": {
                "environment": {"id": "prod"}, "artifactId": f"pkg:github/acme/shop@{SHA}"}},
        }  # fmt: skip
        assert sender.send(deployed).status_code == 201
    follow_log()
    runs = finished_runs(cpi, Scope(now() - dt.timedelta(days=1), now()))
    assert [len(run.begun) for run in runs] == [1, 0]
