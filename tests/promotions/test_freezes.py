"""Freezes hold requests up: at the approval, at the hour they are due, at a retry; a rollback goes through."""

from __future__ import annotations

import datetime as dt

import pytest

from core.clock import now
from core.errors import Conflict
from events.chain.freezes import declare_freeze, lift_freeze
from events.models import Freeze
from promotions.models import PromotionRequest
from promotions.services import approve_request, retry_deployment
from promotions.services.deployments import release_scheduled_request
from promotions.services.judgement import judge
from promotions.services.transition import load
from promotions.states import State
from promotions.tasks import sweep_due_dates

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def freeze(tenant, cpi):
    def make(**changes) -> Freeze:
        given = {"reason": "The year is closed", "ends_at": now() + 9 * HOUR, "environment": "prod", "by": cpi}
        return declare_freeze(tenant=tenant, **given | changes)

    return make


def of_freezes(promotion: PromotionRequest) -> list[str]:
    return [str(verdict.outcome) for verdict in judge(promotion) if verdict.title == "Freeze"]


def test_a_freeze_blocks_the_approval_until_it_is_lifted(pending, target, cpi, browse, freeze):
    held = freeze()
    assert "The year is closed" in browse(cpi).get(f"/requests/{pending.number}/").content.decode()
    with pytest.raises(Conflict, match=r"Production is frozen until .*: The year is closed") as refusal:
        approve_request(promotion=pending, by=cpi)
    assert refusal.value.code == "policy_blocked"
    lift_freeze(freeze=held, by=cpi)
    assert approve_request(promotion=pending, by=cpi).state == State.APPROVED


@pytest.mark.parametrize(
    "other",
    [{"service": "ledger"}, {"environment": "qa"}, {"starts_at": now() + 8 * HOUR}],
    ids=["another service", "another environment", "later"],
)
def test_a_freeze_of_something_else_holds_nothing_up(pending, freeze, other):
    freeze(**other)
    assert of_freezes(pending) == []


def test_the_hour_of_the_deployment_counts(make_request, freeze):
    freeze()
    assert of_freezes(make_request(scheduled_at=now() + 8 * HOUR)) == ["block"]
    assert of_freezes(make_request(scheduled_at=now() + 10 * HOUR, target_name="ledger")) == []


def test_what_is_scheduled_waits_for_the_end_of_a_freeze_that_came_later(make_request, target, cpi, freeze):
    promotion = approve_request(promotion=make_request(scheduled_at=now() + HOUR), by=cpi)
    held = freeze()
    PromotionRequest.objects.filter(pk=promotion.pk).update(scheduled_at=now() - HOUR)
    with pytest.raises(Conflict) as refusal:
        release_scheduled_request(promotion=promotion)
    assert refusal.value.code == "frozen"
    sweep_due_dates()
    assert load(promotion).state == State.SCHEDULED
    lift_freeze(freeze=held, by=cpi)
    sweep_due_dates()
    assert load(promotion).state == State.APPROVED


def test_a_failed_deployment_is_not_tried_again_in_a_freeze(pending, target, cpi, freeze):
    approve_request(promotion=pending, by=cpi)
    PromotionRequest.objects.filter(pk=pending.pk).update(state=State.FAILED)
    freeze()
    with pytest.raises(Conflict) as refusal:
        retry_deployment(promotion=pending, by=cpi)
    assert refusal.value.code == "frozen"


def test_a_rollback_is_only_warned(pending, make_request, freeze):
    freeze()
    PromotionRequest.objects.filter(pk=pending.pk).update(reverses=make_request(target_name="ledger"))
    assert of_freezes(load(pending)) == ["warn"]
