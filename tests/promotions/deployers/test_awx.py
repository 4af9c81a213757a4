"""AWX, as far as a deployer depends on it: exactly one job per nonce however AWX or the network behave."""

from __future__ import annotations

import dataclasses
import time

import pytest

from promotions.deployers import awx_client
from promotions.deployers.awx import AwxDeployer
from promotions.deployers.base import DeployerError, DeployerRefused, DeployerUnsure
from tests.promotions.deployers.jobs import again, awx_job, document, follow, launches, run

# The straight way


def test_a_job_is_launched_with_the_request_and_followed(awx, deployer):
    job = awx_job(options={"limit": "web-1", "extra_vars": {"colour": "blue"}}, attempt=2)
    progress = run(deployer, job)
    assert (progress.outcome, progress.error) == ("succeeded", "")
    assert progress.result == {"deployed_version": "2.1.0"}
    state = awx.seen()["jobs"][-1]
    assert state["limit"] == "web-1"
    assert awx_client.json.loads(state["extra_vars"]) == {
        "request_id": "PR-2026-0001",
        "deployment_id": "deploy-0123456789ab",
        "attempt": 2,
        "nonce": job.nonce,
        "tenant": "tenant-finance",
        "requested_by": "devops@example.com",
        "approved_by": "cpi@example.com",
        "target_type": "api",
        "target_name": "payment-api",
        "version": "2.1.0",
        "source_environment": "staging",
        "target_environment": "prod",
        "colour": "blue",
    }


def test_the_log_is_plain_whole_and_read_on_from_the_last_event(awx, deployer):
    awx.misbehave("job", seconds=1.0)
    job = awx_job()
    job = dataclasses.replace(job, job_id=deployer.start(job))
    first = follow(deployer, job, until=lambda progress: "Unpack it" in progress.log)
    assert first.outcome == "running"
    rest = follow(deployer, dataclasses.replace(job, log_offset=first.log_offset))
    text = first.log + rest.log
    assert text.startswith(
        f"AWX job {job.job_id}: {awx.url}/#/jobs/playbook/{job.job_id}/output\n\nPLAY [Deploy] *****\n"
    )
    assert text.count("ok: [web-1] => payment-api 2.1.0\n") == 4
    assert text.count("AWX job") == text.count("TASK [Unpack it]") == text.count("PLAY RECAP") == 1
    assert "\x1b" not in text
    assert "\r" not in text


def test_a_template_can_be_named(awx, deployer):
    assert run(deployer, awx_job(options={"job_template": "Deploy to production"})).outcome == "succeeded"


def test_behind_a_gateway_the_path_is_another(awx):
    with pytest.raises(DeployerRefused, match="is AWX_API_PATH right"):
        AwxDeployer(url=awx.url, token=awx.token, api_path="/api/controller/v2/").start(awx_job())


# F12: refusals and trouble


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"job_template": 99}, "AWX has nothing at"),
        ({"job_template": "No such"}, "no job template named 'No such'"),
        ({"job_template": "Twin"}, "several job templates named 'Twin'"),
        ({"job_template": 8}, "Prompt on launch"),
        ({"job_template": 9}, "also needs the variables change_number"),
        ({"job_template": 10, "limit": "web-1"}, "run on all hosts"),
        ({"job_template": 11}, "Execute"),
        ({"job_template": 12}, "asks for passwords"),
        ({"job_template": None}, "does not say which template"),
        ({"job_template": True}, "a number or a name"),
        ({"limit": 7}, "limit must be a text"),
        ({"extra_vars": [1]}, "must be an object"),
        ({"tags": "x"}, "'tags' is not known"),
        ({"extra_vars": {"nonce": "x"}}, "may not set nonce"),
        ({"extra_vars": {"a": {"b": ["{{ lookup('pipe', 'id') }}"]}}}, "a contains {{"),
    ],
)
def test_what_cannot_work_is_refused_before_any_job_runs(awx, deployer, options, says):
    job = awx_job(options=options)
    before = len(awx.seen()["jobs"])
    with pytest.raises(DeployerRefused) as refusal:
        deployer.start(job)
    assert says in str(refusal.value)
    assert len(awx.seen()["jobs"]) == before


@pytest.mark.parametrize("evil", ["{{ 7 * 7 }}", "{% for x in y %}", "{# hidden #}"])
def test_templating_in_a_request_never_reaches_ansible(deployer, evil):
    with pytest.raises(DeployerRefused, match="target_name contains"):
        deployer.start(awx_job(request=document(name=evil)))


def test_a_survey_takes_what_it_asks_for(awx, deployer):
    job = awx_job(options={"job_template": 9, "extra_vars": {"change_number": "CHG1"}})
    assert run(deployer, job).outcome == "succeeded"


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (400, DeployerRefused, "AWX refuses"),
        (401, DeployerRefused, "AWX_TOKEN"),
        (403, DeployerRefused, "Give the token's user the right"),
        (404, DeployerRefused, "AWX has nothing at"),
        (302, DeployerRefused, "AWX_URL"),
        (429, DeployerError, "AWX has trouble"),
        (500, DeployerError, "AWX has trouble"),
        (503, DeployerError, "AWX has trouble"),
    ],
)
def test_refused_is_refused_and_trouble_passes(awx, deployer, status, kind, says):
    job = awx_job()
    awx.misbehave("status", status=status, method="POST")
    with pytest.raises(DeployerError) as error:
        deployer.start(job)
    assert isinstance(error.value, DeployerRefused) == (kind is DeployerRefused)
    assert says in str(error.value)
    assert awx.jobs_of(job.nonce) == 0
    deployer.start(again(job))
    assert awx.jobs_of(job.nonce) == 1


def test_reading_is_tried_again_at_once(awx, deployer):
    awx.misbehave("status", status=503, method="GET", times=2)
    job = awx_job()
    deployer.start(job)
    assert awx.jobs_of(job.nonce) == 1


def test_a_wrong_token_after_an_unknown_launch_concludes_nothing(awx, deployer):
    with pytest.raises(DeployerError) as error:
        AwxDeployer(url=awx.url, token="expired").start(awx_job(tries=2))
    assert not isinstance(error.value, DeployerRefused)
    with pytest.raises(DeployerRefused):
        AwxDeployer(url=awx.url, token="expired").start(awx_job(tries=1))


@pytest.mark.parametrize("options", [{}, {"url": "http://127.0.0.1:1"}])
def test_without_awx_configured_it_says_what_to_set(options):
    with pytest.raises(DeployerRefused, match="Set AWX_URL and AWX_TOKEN"):
        AwxDeployer(**options).start(awx_job())


def test_an_awx_that_is_away_is_asked_again_later():
    with pytest.raises(DeployerError, match="cannot be reached") as error:
        AwxDeployer(url="http://127.0.0.1:1", token="x").start(awx_job())
    assert not isinstance(error.value, DeployerRefused | DeployerUnsure)


# F13: the launch arrived, its answer did not


def test_an_answer_that_got_lost_ends_with_one_job(awx, deployer):
    awx.misbehave("drop_response", path="/launch/", method="POST")
    job = awx_job()
    number = deployer.start(job)
    assert follow(deployer, dataclasses.replace(job, job_id=number)).outcome == "succeeded"
    assert awx.jobs_of(job.nonce) == 1


def test_a_launch_without_any_answer_ends_with_one_job(awx, deployer, patience):
    awx.misbehave("late_response", path="/launch/", method="POST", seconds=2)
    job = awx_job()
    deployer.start(job)
    deployer.start(again(job))
    assert awx.jobs_of(job.nonce) == 1


def test_a_list_that_lags_behind_is_not_believed(awx, deployer):
    awx.misbehave("drop_response", path="/launch/", method="POST")
    awx.misbehave("list_lag", seconds=60, times=-1)
    job = awx_job()
    with pytest.raises(DeployerUnsure, match="No job of it is to be seen yet"):
        deployer.start(job)
    awx.behave()
    deployer.start(again(job))
    assert awx.jobs_of(job.nonce) == 1


def test_a_launch_that_never_arrived_is_done_by_the_next_try(awx, deployer):
    awx.misbehave("drop_before", path="/launch/", method="POST")
    job = awx_job()
    with pytest.raises(DeployerUnsure):
        deployer.start(job)
    assert awx.jobs_of(job.nonce) == 0
    assert follow(deployer, dataclasses.replace(job, job_id=deployer.start(again(job)))).outcome == "succeeded"
    assert awx.jobs_of(job.nonce) == 1


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_that_gave_up_says_nothing(awx, deployer, status):
    awx.misbehave("status", status=status, path="/launch/", method="POST")
    with pytest.raises(DeployerUnsure):
        deployer.start(awx_job())


def test_an_earlier_job_is_found_among_many(awx, deployer):
    job = awx_job()
    number = deployer.start(job)
    for _ in range(30):
        awx.api("job_templates/7/launch/", {"extra_vars": {"nonce": "another"}})
    before = launches(awx)
    assert deployer.start(again(job)) == number
    assert launches(awx) == before


def test_a_later_start_always_looks_first(awx, deployer):
    job = awx_job()
    numbers = {deployer.start(job), deployer.start(again(job)), deployer.start(again(again(job)))}
    assert len(numbers) == awx.jobs_of(job.nonce) == 1


def test_canceled_meanwhile_an_earlier_job_is_found_and_none_launched(awx, deployer):
    job = awx_job()
    number = deployer.start(job)
    assert deployer.start(dataclasses.replace(again(job), cancel_requested=True)) == number
    with pytest.raises(DeployerRefused, match="Canceled before"):
        deployer.start(awx_job(tries=2, cancel_requested=True))


# Fields that AWX drops


@pytest.mark.parametrize("fields", [["extra_vars"], ["limit"]])
def test_a_job_without_what_it_was_given_is_stopped(awx, deployer, fields):
    awx.misbehave("ignore", fields=fields)
    awx.misbehave("job", seconds=30)
    with pytest.raises(DeployerRefused, match=r"AWX ignored .* was stopped"):
        deployer.start(awx_job(options={"limit": "web-1"}))
    assert wait_for_status(awx, "canceled")


def test_such_a_job_is_stopped_also_when_it_is_found_later(awx, deployer):
    awx.misbehave("ignore", fields=["limit"])
    awx.misbehave("drop_response", path="/launch/", method="POST")
    awx.misbehave("job", seconds=30)
    with pytest.raises(DeployerRefused, match="AWX ignored the limit"):
        deployer.start(awx_job(options={"limit": "web-1"}))
    assert wait_for_status(awx, "canceled")


def wait_for_status(awx, status: str) -> bool:
    for _ in range(100):
        if awx.seen()["jobs"][-1]["status"] == status:
            return True
        time.sleep(0.05)
    return False
