"""AWX, once the job runs: read in bounded time however it answers, and told as it ended."""

from __future__ import annotations

import dataclasses
import time

import pytest

from promotions.deployers.base import DeployerError, DeployerRefused
from tests.promotions.deployers.jobs import again, awx_job, document, follow, run

# F14: slow, trickling, huge


@pytest.mark.parametrize("how", [{"do": "slow", "seconds": 3}, {"do": "trickle", "seconds": 0.02}])
def test_a_slow_awx_takes_its_share_of_time_and_no_more(awx, deployer, patience, how):
    job = awx_job()
    job = dataclasses.replace(job, job_id=deployer.start(job))
    awx.misbehave(**how, path="/jobs/", method="GET")
    begun = time.monotonic()
    with pytest.raises(DeployerError) as error:
        deployer.poll(job)
    assert not isinstance(error.value, DeployerRefused)
    assert time.monotonic() - begun < 2
    awx.behave()
    assert follow(deployer, job).outcome == "succeeded"


def test_a_flood_is_not_read_to_its_end(awx, deployer):
    job = awx_job()
    job = dataclasses.replace(job, job_id=deployer.start(job))
    awx.misbehave("flood", path="/jobs/", bytes=20 * 1024 * 1024)
    with pytest.raises(DeployerError, match="more than 4096 KiB"):
        deployer.poll(job)
    awx.misbehave("flood", path="/jobs/", bytes=20 * 1024 * 1024, status=400)
    with pytest.raises(DeployerRefused, match="AWX refuses"):
        deployer.poll(job)


def test_a_page_of_a_gateway_is_no_answer(awx, deployer):
    job = awx_job()
    job = dataclasses.replace(job, job_id=deployer.start(job))
    awx.misbehave("html", path="/jobs/")
    with pytest.raises(DeployerError, match="answers text/html, not an object in JSON"):
        deployer.poll(job)


def test_long_output_arrives_whole(awx, deployer):
    awx.misbehave("job", huge_stdout=1500)
    progress = run(deployer, awx_job())
    assert progress.outcome == "succeeded"
    assert len(progress.log) > 1_500_000
    assert "001499 xxx" in progress.log
    assert "PLAY RECAP" in progress.log


def test_an_event_that_is_too_large_is_left_out(awx, deployer):
    awx.misbehave("job", huge_stdout=1, width=5 * 1024 * 1024)
    progress = run(deployer, awx_job())
    assert "[An event is too large to be shown here.]" in progress.log
    assert "PLAY RECAP" in progress.log


def test_output_that_comes_late_is_waited_for(awx, deployer):
    awx.misbehave("job", events_late=0.5)
    progress = run(deployer, awx_job())
    assert progress.outcome == "succeeded"
    assert progress.log.count("ok: [web-1]") == 4


# F16: other ends


@pytest.mark.parametrize(("status", "outcome"), [("failed", "failed"), ("error", "failed"), ("canceled", "canceled")])
def test_another_end_is_told_in_the_words_of_awx(awx, deployer, status, outcome):
    awx.misbehave("job", status=status, explanation="Job terminated due to timeout")
    progress = run(deployer, awx_job())
    assert progress.outcome == outcome
    assert progress.error.startswith(f"AWX says: {status}. Job terminated due to timeout")


def test_a_failure_names_the_task(awx, deployer):
    progress = run(deployer, awx_job(request=document(version="2.1.0-broken")))
    assert progress.outcome == "failed"
    assert progress.error == "AWX says: failed. Task 'Check its health' on web-1: 2.1.0-broken is not healthy"


def test_a_relaunch_by_hand_is_not_taken_for_ours(awx, deployer):
    job = awx_job()
    number = deployer.start(job)
    follow(deployer, dataclasses.replace(job, job_id=number))
    awx.api(f"jobs/{number}/relaunch/", {})
    assert deployer.start(again(job)) == number


def test_a_job_that_awx_forgot_has_no_known_end(deployer):
    with pytest.raises(DeployerRefused, match="does not know job 9999 any more"):
        deployer.poll(awx_job(job_id="9999"))


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_an_awx_that_does_not_answer_says_nothing_about_the_job(awx, deployer, status):
    job = awx_job()
    job = dataclasses.replace(job, job_id=deployer.start(job))
    awx.misbehave("status", status=status, path="/jobs/", times=3)
    with pytest.raises(DeployerError) as error:
        deployer.poll(job)
    assert not isinstance(error.value, DeployerRefused)


def test_cancel_stops_a_job_and_is_harmless_afterwards(awx, deployer):
    awx.misbehave("job", seconds=30)
    job = awx_job()
    job = dataclasses.replace(job, job_id=deployer.start(job))
    deployer.cancel(job)
    progress = follow(deployer, job)
    assert (progress.outcome, progress.error) == ("canceled", "AWX says: canceled.")
    deployer.cancel(job)
    deployer.cancel(awx_job(job_id="9999"))
