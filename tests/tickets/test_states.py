"""Every state with every verb, and every role with every verb."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.errors import InvalidInput, NotAllowed, NotFound, WrongState
from core.transitions import TransitionTable
from events.models import DomainEvent
from tests.tickets.conftest import ticket_content
from tickets.models import Ticket
from tickets.selectors import find_ticket
from tickets.selectors.events import EVENT_NAMES
from tickets.services import (
    add_dependency,
    claim_task,
    close_ticket,
    comment_on_ticket,
    decide_gate,
    edit_project,
    edit_ticket,
    go_back_a_stage,
    link_ticket,
    move_ticket,
    open_ticket,
    queue_task,
    register_worker,
    set_stage,
)
from tickets.states import CLOSED, DECISIONS, MOVES, TASK, TICKET, State, TaskState


def put(ticket: Ticket, state: str) -> Ticket:
    """The ticket in this state, as if it had come there."""
    closed_at = "2030-01-01T00:00:00Z" if state in CLOSED else None
    Ticket.objects.filter(pk=ticket.pk).update(state=state, closed_at=closed_at)
    ticket.refresh_from_db()
    return ticket


def take(ticket: Ticket, verb: str, by) -> Ticket:
    if verb in {"complete", "stop"}:
        return close_ticket(ticket=ticket, by=by, resolution="completed" if verb == "complete" else "stopped")
    return move_ticket(ticket=ticket, verb=verb, by=by, comment="because")


@pytest.mark.parametrize("state", State.values)
@pytest.mark.parametrize("verb", [*MOVES, "complete", "stop"])
def test_every_state_with_every_verb(state, verb, make_ticket, cpi):
    ticket = put(make_ticket("T-1"), state)
    edge = TICKET.find(state, verb)
    before = DomainEvent.objects.count()
    if edge is None:
        with pytest.raises(WrongState) as refusal:
            take(ticket, verb, cpi)
        assert refusal.value.details["state"] == state
        assert DomainEvent.objects.count() == before
        ticket.refresh_from_db()
        assert ticket.state == state
        return
    moved = take(ticket, verb, cpi)
    assert moved.state == edge.target
    assert (moved.closed_at is not None) == (edge.target in CLOSED)
    assert moved.version == ticket.version + 1
    fact = DomainEvent.objects.order_by("-sequence").first()
    assert (fact.type, fact.data["prev_state"], fact.data["state"]) == (edge.fact, state, edge.target)
    assert DomainEvent.objects.count() == before + 1


@pytest.mark.parametrize("state", State.values)
def test_every_state_with_the_verbs_that_no_table_holds(state, make_ticket, devops):
    """Closed tickets take comments and corrections but no work."""
    ticket = put(make_ticket("T-1"), state)
    comment_on_ticket(ticket=ticket, by=devops, content="Hello")
    assert edit_ticket(ticket=ticket, by=devops, title="Better").state == state
    for verb in (
        lambda: queue_task(ticket=ticket, by=devops, even_without_worker=True),
        lambda: set_stage(ticket=ticket, last_completed_stage="developer", by=devops),
        lambda: go_back_a_stage(ticket=ticket, by=devops, reason="because"),
    ):
        if state in CLOSED:
            with pytest.raises(WrongState) as refusal:
                verb()
            assert refusal.value.code == "ticket_closed"
        else:
            try:
                verb()
            except Exception as error:  # whatever else stands against it, it is not the state
                assert getattr(error, "code", "") in {"not_next_stage", "nothing_done", "stage_claimed"}


def test_unknown_verbs_are_named(ticket, cpi):
    for verb in ("fly", "complete", "resolve_by_deployment", "go_back"):
        with pytest.raises(InvalidInput):
            move_ticket(ticket=ticket, verb=verb, by=cpi)


@pytest.mark.parametrize("table", [TICKET, TASK])
def test_every_edge_leaves_a_fact_that_has_a_name(table: TransitionTable):
    assert {edge.fact for edge in table} <= set(EVENT_NAMES)


def test_every_state_can_be_reached_and_left():
    for table, states, ends in ((TICKET, State.values, set()), (TASK, TaskState.values, {"done", "canceled"})):
        assert {edge.target for edge in table} | {"open", "waiting_for_person"} >= set(states) - {"queued"}
        assert {edge.source for edge in table} | ends == set(states)


VERBS: dict[str, tuple[Callable, set[str]]] = {
    "open": (lambda t, by: open_ticket(project=t.project, content=ticket_content(), by=by), {"devops", "cpi", "cpi_admin", "worker"}),
    "edit": (lambda t, by: edit_ticket(ticket=t, by=by, title="New"), {"devops", "cpi", "cpi_admin", "worker"}),
    "comment": (lambda t, by: comment_on_ticket(ticket=t, by=by, content="x"), {"devops", "cpi", "cpi_admin", "worker"}),
    "start": (lambda t, by: move_ticket(ticket=t, verb="start", by=by), {"devops", "cpi", "cpi_admin", "worker"}),
    "close": (lambda t, by: close_ticket(ticket=t, by=by), {"devops", "cpi", "cpi_admin", "worker"}),
    "link": (lambda t, by: link_ticket(ticket=t, by=by, url="https://x.example"), {"devops", "cpi", "cpi_admin", "worker"}),
    "queue": (lambda t, by: queue_task(ticket=t, by=by, even_without_worker=True), {"devops", "cpi", "cpi_admin", "worker"}),
    "set_stage": (lambda t, by: set_stage(ticket=t, last_completed_stage="architect", by=by), {"devops", "cpi", "cpi_admin", "worker"}),
    "register": (
        lambda t, by: register_worker(worker_id="w", worker_type="architect", tenant=t.tenant, by=by),
        {"devops", "cpi", "cpi_admin", "worker"},
    ),
    "project": (lambda t, by: edit_project(project=t.project, by=by, name="x"), {"cpi", "cpi_admin"}),
}  # fmt: skip


@pytest.mark.parametrize("role", ["devops", "cpi", "cpi_admin", "worker", "viewer", "outsider", "root"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_role_with_every_verb(role, verb, request, ticket):
    by = request.getfixturevalue(role)
    call, allowed = VERBS[verb]
    before = DomainEvent.objects.count()
    if role in allowed or role == "root":
        call(ticket, by)
        return
    with pytest.raises(NotAllowed):
        call(ticket, by)
    assert DomainEvent.objects.count() == before
    if role == "outsider":
        with pytest.raises(NotFound):
            find_ticket(user=by, key=ticket.key)


@pytest.mark.parametrize("role", ["devops", "cpi", "cpi_admin", "worker", "viewer", "outsider"])
@pytest.mark.parametrize("verb", DECISIONS)
def test_every_role_with_the_decisions(role, verb, request, ticket, make_ticket):
    by = request.getfixturevalue(role)
    put(ticket, "approval_in_progress")
    gated = make_ticket("T-2", "?sign-off")
    queue_task(ticket=gated, by=ticket.author)
    for call in (
        lambda: move_ticket(ticket=ticket, verb=verb, by=by, comment="because"),
        lambda: decide_gate(ticket=gated, by=by, approve=verb == "approve", comment="because"),
    ):
        if role in {"cpi", "cpi_admin"}:
            assert call().state == ("approved" if verb == "approve" else "declined")
        else:
            with pytest.raises(NotAllowed):
                call()


def test_who_may_only_look_claims_nothing(ticket, make_worker, viewer, outsider, worker, make_ticket, devops):
    architect = make_worker("architect")
    queue_task(ticket=ticket, by=devops)
    for by in (viewer, outsider, devops):
        with pytest.raises(NotAllowed):
            claim_task(worker=architect, by=by)
    with pytest.raises(NotAllowed):
        add_dependency(ticket=ticket, blocker=make_ticket("T-2"), by=viewer)
    assert claim_task(worker=architect, by=worker) is not None
