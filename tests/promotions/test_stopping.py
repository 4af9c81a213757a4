"""Deployments that are stopped or run out of time, and an AWX that says nothing: no end is made up."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from core.clock import now
from core.errors import WrongState
from promotions.models import Deployment, DeploymentTarget
from promotions.services import cancel_deployment, deployment_failed, engine
from promotions.services.engine import follow, launch
from promotions.services.transition import load
from tests.promotions.deploying import BROKEN, approved, come_due, ended, facts_of, launched, state_of


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
        settings.DEPLOYERS = settings.DEPLOYERS | {"awx": {"BACKEND": BROKEN}}
        assert follow(come_due(deployment)) > 0
        settings.DEPLOYERS = {}
        assert follow(come_due(deployment)) > 0
        assert state_of(deployment) == ("running", "deploying")
