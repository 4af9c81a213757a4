"""The life of a deployment by the services, with an AWX that misbehaves: one job, one end, and that stays."""

from __future__ import annotations

import datetime as dt
import sys
import threading
import time

import pytest
from django.db import connection

from core.clock import now
from core.errors import WrongState
from events.models import DomainEvent
from promotions.deployers.variables import extra_vars_of
from promotions.models import Deployment, DeploymentTarget, RunningVersion
from promotions.services import cancel_deployment, deployment_failed, deployment_succeeded, engine, retry_deployment
from promotions.services.engine import follow, launch
from promotions.services.transition import load
from tests.fakes.running import running_awx
from tests.promotions.conftest import AWX_SECRETS
from tests.promotions.deploying import (
    approved,
    come_due,
    ended,
    killed_at,
    launched,
    record,
    state_of,
)  # fmt: skip


@pytest.fixture
def deployment(pending, cpi, awx_target) -> Deployment:
    """An attempt that may be launched, by AWX."""
    return approved(pending, cpi)


def facts_of(deployment) -> list[str]:
    about = DomainEvent.objects.filter(subject_id=deployment.promotion.number, type__startswith="deployment.")
    return list(about.order_by("sequence").values_list("type", flat=True))


class TestTheStraightWay:
    def test_nothing_is_launched_before_the_approval_is_on_record(self, pending, cpi, awx, awx_target):
        from promotions.services import approve_request

        approve_request(promotion=pending, by=cpi)
        deployment = pending.deployments.get()
        assert launch(deployment) is False
        assert awx.jobs_of(deployment.nonce) == 0
        record(pending)
        assert launch(deployment) is True

    def test_from_approval_to_production(self, deployment, awx):
        deployment = ended(launched(deployment))
        assert state_of(deployment) == ("succeeded", "deployed")
        assert deployment.result == {"deployed_version": "2.1.0"}
        assert "TASK [Switch over]" in deployment.log
        assert awx.jobs_of(deployment.nonce) == 1
        assert facts_of(deployment) == ["deployment.started", "deployment.succeeded"]
        assert RunningVersion.objects.get(target_name="payment-api").version == "2.1.0"

    def test_a_failure_and_a_retry_by_a_person_is_another_job(self, make_request, cpi, devops, awx, awx_target):
        promotion = make_request(version="2.1.0-broken")
        first = ended(launched(approved(promotion, cpi)))
        assert state_of(first) == ("failed", "failed")
        assert "2.1.0-broken is not healthy" in first.error
        retry_deployment(promotion=load(promotion), by=devops)
        record(promotion)
        second = ended(launched(promotion.deployments.get(attempt=2)))
        assert (second.nonce != first.nonce, second.job_id != first.job_id) == (True, True)
        assert awx.jobs_of(first.nonce) == awx.jobs_of(second.nonce) == 1

    def test_by_a_command_of_this_machine(self, pending, cpi, tenant, settings, tmp_path):
        options = {"command": [sys.executable, "-m", "promotions.demo_service", str(tmp_path)]}
        options |= {"directory": str(settings.BASE_DIR)}
        DeploymentTarget.objects.create(tenant=tenant, deployer="local", options=options)
        deployment = ended(launched(approved(pending, cpi)))
        assert state_of(deployment) == ("succeeded", "deployed")
        assert deployment.log.endswith("Done: prod runs payment-api 2.1.0\n")
        assert deployment.result["exitCode"] == 0

    def test_without_a_target_it_fails_and_says_what_to_do(self, pending, cpi):
        deployment = approved(pending, cpi)
        assert launch(deployment) is False
        assert state_of(deployment) == ("failed", "failed")
        assert "add a deployment target" in deployment.error


class TestTroubleWhileLaunching:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_trouble_is_waited_for_and_then_there_is_one_job(self, deployment, awx, status):
        awx.misbehave("status", status=status, method="POST")
        assert launch(deployment) is False
        assert state_of(deployment) == ("launching", "approved")
        assert str(status) in deployment.note
        assert now() < deployment.next_at < now() + dt.timedelta(seconds=5)
        assert launch(deployment) is False  # not due
        assert state_of(ended(launched(deployment))) == ("succeeded", "deployed")
        assert awx.jobs_of(deployment.nonce) == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    def test_a_refusal_fails_with_the_cause(self, deployment, awx, status):
        awx.misbehave("status", status=status, method="POST")
        assert launch(deployment) is False
        assert state_of(deployment) == ("failed", "failed")
        assert "AWX" in deployment.error
        assert facts_of(deployment) == ["deployment.failed"]

    def test_a_lost_answer_does_not_make_two_jobs(self, deployment, awx):
        awx.misbehave("drop_response", path="/launch/", method="POST")
        assert state_of(ended(launched(deployment))) == ("succeeded", "deployed")
        assert awx.jobs_of(deployment.nonce) == 1

    def test_an_unclear_launch_is_believed_absent_only_much_later(self, deployment, awx):
        awx.misbehave("drop_before", path="/launch/", method="POST")
        assert launch(deployment) is False
        deployment.refresh_from_db()
        assert deployment.next_at > now() + dt.timedelta(seconds=120)
        assert state_of(ended(launched(deployment))) == ("succeeded", "deployed")
        assert awx.jobs_of(deployment.nonce) == 1

    def test_after_many_tries_it_is_given_up(self, deployment, awx, monkeypatch):
        monkeypatch.setattr(engine, "MAX_LAUNCH_TRIES", 2)
        awx.misbehave("status", status=500, times=-1)
        launch(deployment)
        launch(come_due(deployment))
        assert state_of(deployment) == ("failed", "failed")
        assert str(deployment.nonce) in deployment.error

    def test_a_deployer_that_breaks_is_no_end(self, deployment, settings):
        settings.DEPLOYERS = settings.DEPLOYERS | {"awx": {"BACKEND": f"{__name__}.BrokenDeployer"}}
        assert launch(deployment) is False
        assert state_of(deployment) == ("launching", "approved")
        assert "KeyError('surprise')" in deployment.note

    def test_a_worker_that_lost_its_right_changes_nothing(self, deployment, awx):
        """It was so slow that another worker launched; then its own launch is refused."""
        awx.misbehave("job", seconds=30)
        mine = engine.begin_deployment(deployment=deployment)
        launched(deployment)
        engine.launch_failed(deployment=mine, error="refused")
        assert state_of(deployment) == ("running", "deploying")


class BrokenDeployer:
    def start(self, job):
        raise KeyError("surprise")

    poll = cancel = start


@pytest.mark.django_db(transaction=True)
class TestWorkersThatAreKilled:
    @pytest.mark.parametrize("failpoint", ["before_launch", "after_launch"])
    def test_killed_around_the_launch_there_is_one_job(self, failpoint, deployment, awx, settings):
        killed_at(failpoint, "launch", deployment, settings)
        assert state_of(deployment) == ("launching", "approved")
        assert launch(deployment) is False  # the dead worker's right has not run out
        assert state_of(ended(launched(deployment))) == ("succeeded", "deployed")
        assert awx.jobs_of(deployment.nonce) == 1

    def test_killed_right_after_the_launch_was_sent_a_job_that_appears_late_stays_the_only_one(
        self, deployment, awx, settings
    ):
        killed_at("launch_sent", "launch", deployment, settings)
        Deployment.objects.filter(pk=deployment.pk).update(next_at=now())
        assert launch(deployment) is False
        deployment.refresh_from_db()
        assert "AWX may still make its job" in deployment.note
        assert deployment.next_at > now() + dt.timedelta(seconds=100)
        assert awx.jobs_of(deployment.nonce) == 0
        # AWX was busy: what the dead worker sent becomes a job only now.
        variables = extra_vars_of(engine.job_of(deployment))
        awx.api("job_templates/7/launch/", {"extra_vars": variables})
        assert state_of(ended(launched(deployment))) == ("succeeded", "deployed")
        assert awx.jobs_of(deployment.nonce) == 1

    def test_a_launch_that_awx_refused_clearly_is_repeated_without_a_long_wait(self, deployment, awx):
        awx.misbehave("status", status=503, path="launch", method="POST", times=1)
        assert launch(come_due(deployment)) is False
        deployment.refresh_from_db()
        assert deployment.launch_sent_at is None
        assert deployment.next_at < now() + dt.timedelta(seconds=10)

    def test_killed_before_the_outcome_is_recorded_it_is_recorded_once(self, deployment, awx, settings):
        launched(deployment)
        time.sleep(0.6)
        killed_at("before_outcome", "follow", come_due(deployment), settings)
        assert state_of(deployment) == ("running", "deploying")
        log = deployment.log
        assert state_of(ended(deployment)) == ("succeeded", "deployed")
        assert deployment.log == log  # and no line twice
        assert facts_of(deployment).count("deployment.succeeded") == 1

    @pytest.mark.parametrize("failpoint", ["before_launch", "after_launch"])
    def test_a_command_of_this_machine_runs_once_too(
        self, failpoint, pending, cpi, tenant, settings, tmp_path, awx_settings
    ):
        command = ["/bin/sh", "-c", f"echo ran >> {tmp_path}/count"]
        DeploymentTarget.objects.create(tenant=tenant, deployer="local", options={"command": command})
        deployment = approved(pending, cpi)
        killed_at(failpoint, "launch", deployment, settings)
        assert state_of(ended(launched(deployment))) == ("succeeded", "deployed")
        assert (tmp_path / "count").read_text() == "ran\n"

    def test_many_workers_at_once_launch_one_job(self, deployment, awx):
        def work():
            try:
                launch(Deployment.objects.get(pk=deployment.pk))
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert awx.jobs_of(deployment.nonce) == 1
        assert state_of(ended(deployment)) == ("succeeded", "deployed")


@pytest.mark.django_db(transaction=True)
class TestCallbacks:
    """A fake AWX that calls a real server back."""

    @pytest.fixture
    def awx(self, live_server):
        address = f"{live_server.url}/webhooks/awx/job-complete"
        with running_awx(webhook_url=address, webhook_secret=AWX_SECRETS[0]) as fake:
            yield fake

    def finish(self, deployment, awx):
        """Let the job end without being looked at, then see what the callbacks have done."""
        far = now() + dt.timedelta(hours=1)
        Deployment.objects.filter(pk=deployment.pk, state="running").update(next_at=far)
        ends = {"successful", "failed", "error", "canceled"}
        for _ in range(200):
            if awx.seen()["jobs"][-1]["status"] in ends:
                break
            time.sleep(0.05)
        time.sleep(0.4)
        deployment.refresh_from_db()
        return deployment

    @pytest.mark.parametrize("how", [{}, {"seed_body": True}, {"callbacks": 10}, {"disorder": True}])
    def test_it_is_looked_at_at_once_and_ends_as_the_job_did(self, deployment, awx, how):
        awx.misbehave("job", seconds=0.8, **how)
        deployment = self.finish(launched(deployment), awx)
        assert deployment.next_at <= now()
        assert follow(deployment) is None
        assert state_of(deployment) == ("succeeded", "deployed")
        self.nothing_moves_it_any_more(deployment)

    def nothing_moves_it_any_more(self, deployment):
        facts = facts_of(deployment)
        assert deployment_failed(deployment=deployment, error="late") is None
        assert deployment_succeeded(deployment=deployment, result={}) is None
        assert launch(come_due(deployment)) is False
        assert follow(come_due(deployment)) is None
        assert state_of(deployment) == ("succeeded", "deployed")
        assert facts_of(deployment) == facts == ["deployment.started", "deployment.succeeded"]

    def test_a_lost_callback_is_not_needed(self, deployment, awx):
        awx.misbehave("job", no_callback=True)
        deployment = launched(deployment)
        time.sleep(0.6)
        looks = 0
        while follow(come_due(deployment)) is not None:
            looks += 1
            time.sleep(0.05)
        assert looks <= 2
        assert state_of(deployment) == ("succeeded", "deployed")
        assert awx.seen()["callbacks"] == []

    def test_a_late_callback_finds_the_end_it_tells_of(self, deployment, awx):
        awx.misbehave("job", callback_late=1.0)
        deployment = ended(launched(deployment))
        time.sleep(1.2)
        assert len(awx.seen()["callbacks"]) == 2
        self.nothing_moves_it_any_more(deployment)

    def test_callbacks_before_the_answer_to_the_launch(self, deployment, awx):
        awx.misbehave("late_response", path="/launch/", method="POST", seconds=0.8)
        deployment = launched(deployment)
        assert len(awx.seen()["callbacks"]) == 2  # started and ended before we knew the job's number
        assert follow(deployment) is None  # due from the start
        assert state_of(deployment) == ("succeeded", "deployed")
        assert awx.jobs_of(deployment.nonce) == 1

    def test_a_forged_success_is_seen_through(self, deployment, awx):
        awx.misbehave("job", seconds=1.5, status="failed", forge_callback=True)
        deployment = launched(deployment)
        while not awx.seen()["callbacks"]:
            time.sleep(0.05)
        assert awx.seen()["callbacks"][0]["status"] == "successful"
        follow(come_due(deployment))
        assert state_of(deployment) == ("running", "deploying")
        assert state_of(ended(deployment)) == ("failed", "failed")


class TestStopping:
    def test_a_running_job_is_stopped_and_the_request_fails(self, deployment, awx, cpi):
        awx.misbehave("job", seconds=30)
        deployment = launched(deployment)
        cancel_deployment(promotion=deployment.promotion, by=cpi, reason="Wrong window")
        deployment = ended(deployment)
        assert state_of(deployment) == ("canceled", "failed")
        assert deployment.error == "Stopped on request. AWX says: canceled."
        with pytest.raises(WrongState):
            cancel_deployment(promotion=load(deployment.promotion), by=cpi)

    def test_before_the_launch_it_never_is_launched(self, deployment, awx, cpi):
        cancel_deployment(promotion=deployment.promotion, by=cpi)
        assert state_of(deployment) == ("canceled", "failed")
        assert launch(come_due(deployment)) is False
        assert awx.jobs_of(deployment.nonce) == 0
        assert facts_of(deployment) == ["deployment.cancel_requested", "deployment.failed"]

    def test_while_somebody_launches_the_job_is_found_and_stopped(self, deployment, awx, cpi):
        awx.misbehave("job", seconds=30)
        awx.misbehave("drop_response", path="/launch/", method="POST")
        awx.misbehave("list_lag", seconds=60, times=3)
        assert launch(deployment) is False  # unclear
        lease = state_of(deployment) and deployment.next_at
        cancel_deployment(promotion=deployment.promotion, by=cpi)
        deployment.refresh_from_db()
        assert deployment.next_at == lease  # nobody may look before it is clear
        assert state_of(ended(launched(deployment))) == ("canceled", "failed")
        assert awx.jobs_of(deployment.nonce) == 1

    def test_an_attempt_that_ended_while_it_was_launched_leaves_no_job(self, deployment, awx):
        awx.misbehave("job", seconds=30)
        mine = engine.begin_deployment(deployment=deployment)
        job_id = engine.deployer_of(mine).start(engine.job_of(mine))
        deployment_failed(deployment=mine, error="closed by someone")
        assert engine.deployment_started(deployment=mine, job_id=job_id) is None
        assert engine._come_late(mine, job_id) is False
        for _ in range(100):
            if awx.api(f"jobs/{job_id}/")["status"] == "canceled":
                break
            time.sleep(0.05)
        else:
            pytest.fail("the job still runs")

    def test_a_job_that_awx_does_not_stop_is_still_followed(self, deployment, awx, cpi):
        awx.misbehave("job", seconds=1.0)
        deployment = launched(deployment)
        cancel_deployment(promotion=deployment.promotion, by=cpi)
        awx.misbehave("status", status=403, path="/cancel/", times=-1)
        follow(come_due(deployment))
        deployment.refresh_from_db()
        assert deployment.note.startswith("It could not be stopped: AWX does not allow")
        assert state_of(ended(deployment)) == ("succeeded", "deployed")  # that is what production runs

    def test_past_its_time_limit_it_is_stopped(self, deployment, awx):
        awx.misbehave("job", seconds=30)
        deployment = launched(deployment)
        Deployment.objects.filter(pk=deployment.pk).update(deadline_at=now())
        deployment = ended(deployment)
        assert deployment.error.startswith("Stopped: it took longer than its time limit.")
        assert load(deployment.promotion).state == "failed"

    def test_a_command_of_this_machine_is_stopped_with_its_children(self, pending, cpi, tenant):
        command = ["/bin/sh", "-c", "echo begun; setsid sleep 300"]
        DeploymentTarget.objects.create(tenant=tenant, deployer="local", options={"command": command})
        deployment = launched(approved(pending, cpi))
        cancel_deployment(promotion=deployment.promotion, by=cpi)
        assert state_of(ended(deployment)) == ("canceled", "failed")


class TestSilence:
    @pytest.mark.parametrize("status", [401, 500])
    def test_no_answer_is_no_end(self, deployment, awx, status):
        awx.misbehave("job", seconds=30)
        deployment = launched(deployment)
        awx.misbehave("status", status=status, path="/jobs/", times=-1)
        assert follow(come_due(deployment)) > 0
        assert state_of(deployment) == ("running", "deploying")
        assert str(status) in deployment.note
        assert deployment.next_at < now() + dt.timedelta(seconds=10)

    def test_long_past_the_time_limit_it_is_given_up_as_unknown(self, deployment, awx):
        awx.misbehave("job", seconds=30)
        deployment = launched(deployment)
        awx.misbehave("status", status=500, path="/jobs/", times=-1)
        Deployment.objects.filter(pk=deployment.pk).update(deadline_at=now() - dt.timedelta(hours=1))
        assert follow(come_due(deployment)) is None
        assert state_of(deployment) == ("failed", "failed")
        assert deployment.error.startswith("Nobody can say how job")

    def test_a_deployer_that_breaks_or_is_gone_is_no_end(self, deployment, awx, settings):
        awx.misbehave("job", seconds=30)
        deployment = launched(deployment)
        settings.DEPLOYERS = settings.DEPLOYERS | {"awx": {"BACKEND": f"{__name__}.BrokenDeployer"}}
        assert follow(come_due(deployment)) > 0
        settings.DEPLOYERS = {}
        assert follow(come_due(deployment)) > 0
        assert state_of(deployment) == ("running", "deploying")
