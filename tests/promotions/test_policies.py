"""Policies: verdicts with reasons, and a blocking one stops the approval on every face."""

from __future__ import annotations

import pytest
from django.test import override_settings

from core.clock import now
from core.errors import Conflict
from promotions.models import RunningVersion
from promotions.policies.base import Outcome, Verdict
from promotions.services import approve_request
from promotions.services.judgement import judge
from promotions.services.transition import load
from promotions.states import State


class Freeze:
    """Stops everything."""

    def check(self, promotion):
        return [Verdict("Freeze", Outcome.BLOCK, "No deployments over the holidays", "calendar", now())]


@pytest.mark.parametrize(
    ("running", "outcome", "reason"),
    [
        (None, "warn", "Nothing is known of payment-api in staging"),
        ("2.0.9", "warn", "Staging runs 2.0.9, not 2.1.0"),
        ("2.1.0", "pass", "Staging runs 2.1.0"),
    ],
)
def test_staging_must_run_what_is_promoted(pending, tenant, running, outcome, reason):
    if running:
        RunningVersion.objects.create(
            tenant=tenant, environment="staging", target_type="api", target_name="payment-api", version=running
        )
    verdict = judge(pending)[-1]
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_missing_performance_tests_warn_only(make_request):
    verdicts = {verdict.title: verdict.outcome for verdict in judge(make_request(performance_tests_passed=False))}
    assert verdicts["Performance tests"] == "warn"
    assert verdicts["Security scan"] == "pass"


def test_a_blocking_verdict_stops_the_approval(pending, cpi, target):
    with override_settings(POLICIES={"freeze": {"BACKEND": "tests.promotions.test_policies.Freeze"}}):
        with pytest.raises(Conflict, match="Freeze: No deployments over the holidays") as refusal:
            approve_request(promotion=pending, by=cpi)
        assert refusal.value.code == "policy_blocked"
    assert load(pending).state == State.PENDING
    assert not pending.deployments.exists()
