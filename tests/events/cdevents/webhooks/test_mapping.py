"""What the payloads of GitHub, GitLab and Jira become: always valid CDEvents, also from broken payloads or not at all."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import pytest

from events.cdevents.codec import check_event
from events.cdevents.webhooks.commands import commands_in
from events.cdevents.webhooks.deliveries import map_delivery
from events.cdevents.webhooks.mapping import Mapped, Unmappable, moment_text
from tests.events.cdevents.payloads import GITHUB, MERGE, SHA, everything, github, gitlab, jira, pull

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def mapped(kind: str, told: tuple[str, Any]) -> list[Mapped]:
    return map_delivery(kind, *told, ("delivery-1", NOW))


def types(kind: str, told: tuple[str, Any]) -> list[str]:
    events = mapped(kind, told)
    for each in events:
        check_event(each.body)
    return [each.body["context"]["type"].removeprefix("dev.cdevents.") for each in events]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (github("ping"), []),
        (github("star"), []) if "star" in GITHUB else (("star", {}), []),
        (github("push"), ["dev.cdeventsx.stagepass-commit.pushed.0.1.0"] * 2),
        (github("push", ref="refs/tags/v1"), []),
        (github("push", deleted=True), []),
        (github("create"), ["branch.created.0.3.0"]),
        (github("create", ref_type="tag"), []),
        (github("delete"), ["branch.deleted.0.3.0"]),
        (github("pull_request"), ["change.created.0.4.0"]),
        (github("pull_request", action="synchronize"), ["change.updated.0.3.0"]),
        (github("pull_request", action="closed"), ["change.abandoned.0.3.0"]),
        (github("pull_request", action="closed", pull_request=pull(merged=True)), ["change.merged.0.3.0"]),
        (github("pull_request_review"), ["change.reviewed.0.3.0"]),
        (github("pull_request_review", action="dismissed"), []),
        (github("workflow_run"), ["pipelinerun.finished.0.3.0"]),
        (github("workflow_run", action="requested"), ["pipelinerun.queued.0.3.0"]),
        (github("workflow_run", action="in_progress"), ["pipelinerun.started.0.3.0"]),
        (github("deployment_status"), ["service.deployed.0.3.0"]),
        (github("deployment_status", deployment_status={"state": "failure"}),
         ["dev.cdeventsx.stagepass-deployment.failed.0.1.0"]),
        (github("deployment_status", deployment_status={"state": "in_progress"}), []),
        (github("release"), ["artifact.published.0.3.0"]),
        (github("issues"), ["ticket.closed.0.2.0"]),
        (github("issues", action="opened"), ["ticket.created.0.2.0"]),
        (github("issues", action="labeled"), ["ticket.updated.0.2.0"]),
    ],
)  # fmt: skip
def test_github(told, expected):
    assert types("github", told) == [each.removeprefix("dev.cdevents.") for each in expected]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (gitlab("push"), ["branch.created.0.3.0", "dev.cdeventsx.stagepass-commit.pushed.0.1.0"]),
        (gitlab("push", before=SHA, after="0" * 40, commits=[]), ["branch.deleted.0.3.0"]),
        (gitlab("merge_request"), ["change.created.0.4.0"]),
        (gitlab("pipeline"), ["pipelinerun.finished.0.3.0"]),
        (gitlab("deployment"), ["service.deployed.0.3.0"]),
        (gitlab("deployment", status="failed"), ["dev.cdeventsx.stagepass-deployment.failed.0.1.0"]),
        (gitlab("deployment", status="running"), []),
        (gitlab("release"), ["artifact.published.0.3.0"]),
        (gitlab("issue"), ["ticket.created.0.2.0"]),
        (("Note Hook", {"object_kind": "note"}), []),
    ],
)
def test_gitlab(told, expected):
    assert types("gitlab", told) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (jira("jira:issue_created"), ["ticket.created.0.2.0"]),
        (jira(), ["ticket.closed.0.2.0"]),
        (jira(changelog={"items": []}), ["ticket.updated.0.2.0"]),
        (jira("jira:issue_deleted"), ["ticket.closed.0.2.0"]),
        (jira("comment_created"), ["ticket.updated.0.2.0"]),
        (jira("comment_created", issue={}), []),
        (jira("worklog_created"), []),
    ],
)
def test_jira(told, expected):
    assert types("jira", told) == expected


def test_a_merge_tells_its_commits_and_where_it_was():
    (merged,) = mapped(
        "github", github("pull_request", action="closed", pull_request=pull(merged=True, merge_commit_sha=MERGE))
    )
    assert merged.body["subject"]["id"] == "42"
    assert merged.body["subject"]["source"] == "https://github.com/acme/shop"
    assert merged.body["customData"]["stagepass"]["branch"] == "feature/core-9-cards"
    assert [commit["id"] for commit in merged.heard.extras["commits"]] == [SHA, MERGE]
    assert set(merged.heard.texts) == {"CORE-7: pay by card", "Closes CORE-8, not UTF-8", "feature/core-9-cards"}


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (github("pull_request_review"), "approved"),
        (github("pull_request_review", review={"state": "CHANGES_REQUESTED"}), "changes_requested"),
        (github("pull_request_review", review={"state": "commented"}), ""),
        (github("pull_request", pull_request=pull(draft=True)), "draft"),
        (github("pull_request", action="ready_for_review"), "ready"),
    ],
)
def test_verdicts(told, verdict):
    assert mapped("github", told)[0].heard.extras["verdict"] == verdict


def test_a_commit_is_the_same_event_whichever_delivery_tells_of_it():
    one, two = (map_delivery("github", *github("push"), (name, NOW))[0].body for name in ("delivery-1", "delivery-2"))
    assert one == two
    one, two = (
        map_delivery("github", *github("release"), (name, NOW))[0].body for name in ("delivery-1", "delivery-2")
    )
    assert one["context"]["id"] != two["context"]["id"]


def test_a_commit_of_a_push_follows_the_one_before_it():
    pushed = [{"id": letter * 40, "message": "x"} for letter in "abc"]
    commits = [
        [one["id"][0] for one in each.heard.extras["commits"]]
        for each in mapped("github", github("push", commits=pushed))
    ]
    assert commits == [["a"], ["a", "b"], ["b", "c"]]


def test_a_workflow_that_runs_again_is_another_run():
    runs = [GITHUB["workflow_run"]["workflow_run"] | {"run_attempt": attempt} for attempt in (1, 2, 3)]
    told = [mapped("github", github("workflow_run", workflow_run=run))[0].body for run in runs]
    first, second, third = (body["subject"]["id"] for body in told)
    assert (second, third) == (f"{first}/2", f"{first}/3")


def test_a_deployment_names_the_commit_as_its_artifact():
    (event,) = mapped("github", github("deployment_status"))
    assert event.body["subject"]["content"] == {
        "environment": {"id": "production"}, "artifactId": f"pkg:github/acme/shop@{SHA}"
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["github", "gitlab", "jira"])
@pytest.mark.parametrize("payload", [None, [], "x", 1, {}, {"repository": 1, "project": [], "issue": "x"}])
def test_payloads_of_another_shape_are_refused_or_say_nothing(kind, payload):
    for event in ("push", "pull_request", "Push Hook", "jira:issue_updated"):
        try:
            assert mapped(kind, (event, payload)) == []
        except Unmappable as refusal:
            assert refusal.field


def _places(value, path=()):
    yield path
    for name, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from _places(inner, (*path, name))


def test_any_member_may_be_missing_or_strange_and_what_is_made_is_valid():
    """Each place of each payload broken in turn: Unmappable or valid events, never anything else."""
    strange = [None, "", 0, -1, True, [], {}, "Ä \u2028 \x07", "x" * 5000, [None], {"a": 1}, 10**30, 1.5, "http://["]
    for kind, event, payload in everything():
        for path in list(_places(payload))[1:]:
            for value in strange:
                broken = copy.deepcopy(payload)
                place = broken
                for name in path[:-1]:
                    place = place[name]
                place[path[-1]] = value
                try:
                    for each in mapped(kind, (event, broken)):
                        check_event(each.body)
                except Unmappable:
                    continue


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05.123+0100", "2026-01-02T02:04:05.123000Z"),
        ("2026-01-02 03:04:05 UTC", "2026-01-02T03:04:05Z"),
        ("2026-01-02 03:04:05 +0100", "2026-01-02T02:04:05Z"),
        (1767322800, "2026-01-02T03:00:00Z"),
        (1767322800000, "2026-01-02T03:00:00Z"),
        ("yesterday", "2026-01-01T00:00:00Z"),
        (None, "2026-01-01T00:00:00Z"),
        (True, "2026-01-01T00:00:00Z"),
        (10**40, "2026-01-01T00:00:00Z"),
    ],
)
def test_moments_in_every_spelling(given, expected):
    assert moment_text(given, NOW) == expected


def test_commands():
    def found(message):
        return [(each["ticket"], each["command"], each["text"]) for each in commands_in(message, "a@example.com")]

    assert found("CORE-7 #comment Fine now #time 1w 2d 4h 30m #resolve") == [
        ("CORE-7", "comment", "Fine now"), ("CORE-7", "time", "1w 2d 4h 30m"), ("CORE-7", "resolve", "")
    ]  # fmt: skip
    assert found("core-7, CORE-8 #in-review Look\nCORE-9: nothing") == [
        ("CORE-7", "in-review", "Look"), ("CORE-8", "in-review", "Look")
    ]  # fmt: skip
    assert found("Fix #12 of CORE-7") == []
    assert found("#comment CORE-7") == []
    assert len(found("CORE-7 #start\n" * 1000)) == 20
    assert found("A-1 " * 500 + "x" * 100_000) == []
