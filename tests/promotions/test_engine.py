"""From an approval to the end of its deployment by the services, with an AWX that misbehaves at the launch: one job."""

from __future__ import annotations

import datetime as dt
import sys

import pytest

from core.clock import now
from promotions.models import DeploymentTarget, RunningVersion
from promotions.services import approve_request, engine, retry_deployment
from promotions.services.engine import launch
from promotions.services.transition import load
from tests.promotions.deploying import BROKEN, approved, come_due, ended, facts_of, launched, record, state_of


class TestTheStraightWay:
    def test_nothing_is_launched_before_the_approval_is_on_record(self, pending, cpi, awx, awx_target):
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
        settings.DEPLOYERS = settings.DEPLOYERS | {"awx": {"BACKEND": BROKEN}}
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
