"""Races with real transactions: one winner, the loser is told, numbers without gaps or doubles."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import pytest
from django.db import connection

from accounts.roles import Capability
from accounts.selectors import has_capability
from core.errors import Conflict, DomainError, WrongState
from events.models import DomainEvent
from events.selectors import find_chain_break
from promotions.models import PromotionRequest
from promotions.services import approve_request, create_request, expire_request, reject_request, withdraw_request
from promotions.services.transition import load
from promotions.states import State
from tests.conftest import content

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Run the calls in threads that start together; what each returned or raised."""
    barrier = threading.Barrier(len(calls))
    outcomes: list[object] = [None] * len(calls)

    def run(index: int, call: Callable[[], object]) -> None:
        try:
            barrier.wait()
            outcomes[index] = call()
        except Exception as error:
            outcomes[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index, call)) for index, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


def winners(outcomes: Iterable[object]) -> list[object]:
    unexpected = [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, DomainError)]
    assert not unexpected, unexpected
    return [outcome for outcome in outcomes if not isinstance(outcome, Exception)]


@pytest.mark.parametrize("round", range(5))
def test_two_approvers_and_one_rejecter_have_one_winner(round, pending, cpi, other_cpi, cpi_admin, target):
    outcomes = at_once(
        lambda: approve_request(promotion=load(pending), by=cpi),
        lambda: approve_request(promotion=load(pending), by=other_cpi),
        lambda: reject_request(promotion=load(pending), by=cpi_admin, reason="I would rather not"),
    )
    assert len(winners(outcomes)) == 1
    after = load(pending)
    winner = (after.approved_by or after.rejected_by).email
    losers = [outcome for outcome in outcomes if isinstance(outcome, WrongState)]
    assert len(losers) == 2
    assert all(winner in loser.message for loser in losers)
    assert after.deployments.count() == (1 if after.state == State.APPROVED else 0)
    decisions = DomainEvent.objects.filter(type__in=["promotion.approved", "promotion.rejected"])
    assert decisions.count() == 1


@pytest.mark.parametrize("round", range(3))
def test_approval_against_withdrawal_and_expiry(round, pending, cpi, devops, target):
    PromotionRequest.objects.filter(pk=pending.pk).update(expires_at="2020-01-01T00:00:00Z")
    outcomes = at_once(
        lambda: approve_request(promotion=load(pending), by=cpi),
        lambda: withdraw_request(promotion=load(pending), by=devops),
        lambda: expire_request(promotion=load(pending)),
    )
    assert len(winners(outcomes)) == 1
    assert load(pending).deployments.count() == (1 if load(pending).state == State.APPROVED else 0)


def test_a_double_click_approves_once(pending, cpi, target):
    outcomes = at_once(*[lambda: approve_request(promotion=load(pending), by=cpi)] * 4)
    assert len(winners(outcomes)) == 1
    assert pending.deployments.count() == 1


def test_numbers_are_gap_free_under_concurrent_creation_and_refusals(tenant, devops):
    def create(name: str) -> PromotionRequest:
        return create_request(tenant=tenant, content=content(target_name=name), by=devops)

    # Half of the names are taken twice: one of each pair is refused, and its number must not be lost.
    outcomes = at_once(*[lambda name=f"api-{index % 6}": create(name) for index in range(12)])
    assert len(winners(outcomes)) == 6
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 6
    last = [int(number[-4:]) for number in PromotionRequest.objects.order_by("number").values_list("number", flat=True)]
    assert last == list(range(1, 7))
    assert find_chain_break() is None


def test_these_races_would_catch_read_check_write(pending, cpi, other_cpi, cpi_admin):
    """The test of the tests: the usual way to write an approval has more than one winner here."""
    all_have_read = threading.Barrier(3)

    def approve_naively(by) -> bool:
        promotion = load(pending)
        if promotion.state != State.PENDING:
            raise WrongState("not pending")
        has_capability(by, Capability.DECIDE_PROMOTION, promotion.tenant_id)
        promotion.state, promotion.approved_by = State.APPROVED, by
        promotion.approved_at, promotion.approved_digest = promotion.created_at, promotion.digest
        all_have_read.wait(30)
        promotion.save()
        return True

    outcomes = at_once(*[lambda by=by: approve_naively(by) for by in (cpi, other_cpi, cpi_admin)])
    assert len(winners(outcomes)) > 1
