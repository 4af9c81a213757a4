"""Callbacks of AWX about a deployment, early, late, lost, many and forged: it ends once, as the job did."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from core.clock import now
from promotions.models import Deployment
from promotions.services import deployment_failed, deployment_succeeded
from promotions.services.engine import follow, launch
from tests.fakes.running import running_awx
from tests.promotions.conftest import AWX_SECRETS
from tests.promotions.deploying import come_due, ended, facts_of, job_over, launched, state_of


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
        job_over(awx)
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
        job_over(awx)
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
