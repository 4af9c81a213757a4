"""Gates wait for a person: no worker passes, forges or goes round them."""

from __future__ import annotations

import pytest

from accounts.roles import Role
from accounts.services import grant_role
from core.errors import Conflict, InvalidInput, NotAllowed, WrongState
from events.models import DomainEvent
from tests.tickets.conftest import steps
from tickets.models import StageTask, Ticket
from tickets.selectors import explain_claim
from tickets.services import (
    claim_task,
    close_ticket,
    complete_stage,
    decide_gate,
    edit_ticket,
    move_ticket,
    queue_task,
    resolve_ticket,
    set_stage,
)


@pytest.fixture
def at_gate(make_ticket, make_worker, devops, worker) -> Ticket:
    """developer is done, sign-off waits for a person, deployer comes after."""
    ticket = make_ticket("T-1", "developer", "?sign-off", "deployer")
    developer = make_worker("developer")
    queue_task(ticket=ticket, by=devops)
    task = claim_task(worker=developer, by=worker)
    complete_stage(task=task, fence=task.fence, by=worker)
    ticket.refresh_from_db()
    return ticket


def test_the_plan_stops_at_a_gate_until_a_person_passes_it(at_gate, make_worker, worker, cpi):
    assert (at_gate.state, at_gate.stage) == ("approval_in_progress", "sign-off")
    gate = StageTask.objects.get(state="waiting_for_person")
    assert claim_task(worker=make_worker("sign-off"), by=worker) is None
    assert [reason.code for reason in explain_claim(user=worker, ticket=at_gate).reasons] == ["gate"]
    with pytest.raises(Conflict) as refusal:
        complete_stage(task=gate, fence=gate.fence, by=worker)
    assert refusal.value.code == "gate_needs_person"
    passed = decide_gate(ticket=at_gate, by=cpi, approve=True, comment="Fine by me")
    assert (passed.state, passed.stage, passed.last_completed_stage) == ("approved", "deployer", "sign-off")
    assert passed.comments.get(kind="decision").author == cpi
    task = claim_task(worker=make_worker("deployer"), by=worker)
    assert task.ticket.state == "in_progress"
    assert [fact.type for fact in DomainEvent.objects.filter(actor_id=cpi.public_id).order_by("sequence")] == [
        "ticket.approved", "ticket.stage_completed",
    ]  # fmt: skip


@pytest.mark.parametrize("role", ["worker", "devops", "viewer", "outsider"])
def test_only_deciders_pass(role, request, at_gate):
    with pytest.raises(NotAllowed):
        decide_gate(ticket=at_gate, by=request.getfixturevalue(role), approve=True)
    at_gate.refresh_from_db()
    assert at_gate.progress == 1


def test_a_worker_account_cannot_pass_whatever_else_it_may(at_gate, worker, tenant):
    grant_role(user=worker, tenant=tenant, role=Role.CPI)
    del worker._grants
    with pytest.raises(NotAllowed) as refusal:
        decide_gate(ticket=at_gate, by=worker, approve=True)
    assert refusal.value.code == "person_required"


def test_nobody_passes_their_own_work(make_ticket, make_worker, cpi, other_cpi):
    ticket = make_ticket("T-2", "developer", "?sign-off")
    mine = make_worker("developer", "cpi-dev", by=cpi)
    queue_task(ticket=ticket, by=cpi)
    task = claim_task(worker=mine, by=cpi)
    complete_stage(task=task, fence=task.fence, by=cpi)
    with pytest.raises(NotAllowed) as refusal:
        decide_gate(ticket=ticket, by=cpi, approve=True)
    assert refusal.value.code == "own_work"
    assert decide_gate(ticket=ticket, by=other_cpi, approve=True).stage == ""


def test_two_gates_may_be_passed_by_one_person(make_ticket, devops, cpi):
    ticket = make_ticket("T-3", "?plan", "?budget")
    queue_task(ticket=ticket, by=devops)
    assert decide_gate(ticket=ticket, by=cpi, approve=True).state == "approval_in_progress"
    assert decide_gate(ticket=ticket, by=cpi, approve=True).stage == ""


def test_declining_needs_a_reason_and_may_send_back(at_gate, cpi, claimed_again):
    with pytest.raises(InvalidInput):
        decide_gate(ticket=at_gate, by=cpi, approve=False)
    declined = decide_gate(ticket=at_gate, by=cpi, approve=False, comment="No tests", back_to_step=0)
    assert (declined.state, declined.stage, declined.round) == ("declined", "developer", 2)
    again = claimed_again()
    assert again.ticket.state == "in_progress"
    assert again.round == 2


@pytest.fixture
def claimed_again(worker):
    from tickets.models import Worker

    return lambda: claim_task(worker=Worker.objects.get(worker_type="developer"), by=worker)


def test_a_declined_gate_can_be_asked_again(at_gate, cpi, devops):
    assert decide_gate(ticket=at_gate, by=cpi, approve=False, comment="Not yet").state == "declined"
    with pytest.raises(WrongState) as refusal:
        decide_gate(ticket=at_gate, by=cpi, approve=True)
    assert refusal.value.code == "not_at_gate"
    queue_task(ticket=at_gate, by=devops)
    assert decide_gate(ticket=at_gate, by=cpi, approve=True).stage == "deployer"


@pytest.mark.parametrize(
    "plan",
    [
        ("developer", "deployer"),
        ("developer", "sign-off", "deployer"),
        ("developer", "deployer", "?sign-off"),
        ("developer", "other", "?sign-off", "deployer"),
        (),
    ],
)
def test_a_worker_cannot_edit_the_gate_away(plan, at_gate, worker, cpi):
    with pytest.raises((NotAllowed, Conflict)) as refusal:
        edit_ticket(ticket=at_gate, by=worker, plan=steps(*plan))
    assert refusal.value.code in {"gate_protected", "stage_already_done"}
    at_gate.refresh_from_db()
    assert at_gate.steps == list(steps("developer", "?sign-off", "deployer"))
    if plan:
        assert edit_ticket(ticket=at_gate, by=cpi, plan=steps(*plan)).steps == list(steps(*plan))


def test_after_the_last_gate_the_plan_is_free(at_gate, worker):
    assert edit_ticket(ticket=at_gate, by=worker, plan=steps("developer", "?sign-off", "builder", "deployer"))


@pytest.mark.parametrize("verb", ["complete", "resolve", "set_stage", "approve"])
def test_a_worker_cannot_go_round_the_gate(verb, at_gate, worker, devops):
    attempts = {
        "complete": lambda by: close_ticket(ticket=at_gate, by=by, resolution="completed"),
        "resolve": lambda by: resolve_ticket(ticket=at_gate, by=by),
        "set_stage": lambda by: set_stage(ticket=at_gate, last_completed_stage="sign-off", by=by),
        "approve": lambda by: move_ticket(ticket=at_gate, verb="approve", by=by),
    }
    for by in (worker, devops):
        with pytest.raises((NotAllowed, Conflict, WrongState)):
            attempts[verb](by)
    at_gate.refresh_from_db()
    assert (at_gate.state, at_gate.progress) == ("approval_in_progress", 1)


def test_approving_by_a_move_is_sent_to_the_gate(at_gate, cpi):
    with pytest.raises(Conflict) as refusal:
        move_ticket(ticket=at_gate, verb="approve", by=cpi)
    assert refusal.value.code == "at_gate"


def test_stopping_is_always_possible(at_gate, worker):
    assert close_ticket(ticket=at_gate, by=worker, resolution="stopped").state == "stopped"
