"""Workers of deployments that are killed or compete: one job, one end, and no line twice."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import connection

from core.clock import now
from promotions.deployers.variables import extra_vars_of
from promotions.models import Deployment, DeploymentTarget
from promotions.services import engine
from promotions.services.engine import launch
from tests.promotions.deploying import approved, come_due, ended, facts_of, job_over, killed_at, launched, state_of


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
        job_over(awx)
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
