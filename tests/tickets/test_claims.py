"""Who gets what first, and why not."""

from __future__ import annotations

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.services import withdraw_role
from core.errors import Conflict, InvalidInput, NotAllowed
from events.models import DomainEvent
from tests.tickets.conftest import ticket_content
from tickets.models import StageTask, Worker
from tickets.selectors import explain_claim, find_ticket, list_workers, queue_lengths
from tickets.services import (
    add_dependency,
    claim_task,
    close_ticket,
    complete_stage,
    edit_project,
    edit_ticket,
    ensure_project,
    fail_task,
    heartbeat_task,
    heartbeat_worker,
    open_ticket,
    queue_task,
    register_worker,
    stop_silent_workers,
    stop_worker,
)
from tickets.types import Priority


@pytest.fixture
def architect(make_worker) -> Worker:
    return make_worker("architect")


def queue(ticket, by):
    return queue_task(ticket=ticket, by=by, even_without_worker=True)[0]


def claimed_keys(worker, by, count: int) -> list[str]:
    return [claim_task(worker=worker, by=by).ticket.key for _ in range(count)]


def test_the_most_urgent_comes_first_then_the_oldest(make_ticket, architect, devops, worker):
    for key, priority in (
        ("T-1", Priority.LOW),
        ("T-2", Priority.MEDIUM),
        ("T-3", Priority.URGENT),
        ("T-4", Priority.MEDIUM),
    ):
        queue(make_ticket(key, priority=priority), devops)
    late = make_ticket("T-5", priority=Priority.LOW)
    queue(late, devops)
    edit_ticket(ticket=late, by=devops, priority=Priority.HIGH)
    assert claimed_keys(architect, worker, 5) == ["T-3", "T-5", "T-2", "T-4", "T-1"]


def test_projects_take_turns(project, make_ticket, architect, devops, worker):
    """One that queues hundreds does not starve one that queues a few later."""
    other, third = ensure_project(key="other", by=devops), ensure_project(key="third", by=devops)
    for number in range(6):
        queue(make_ticket(f"A-{number}"), devops)
    for number in range(2):
        queue(make_ticket(f"B-{number}", in_project=other), devops)
    assert claimed_keys(architect, worker, 3) == ["A-0", "B-0", "A-1"]
    queue(make_ticket("C-0", in_project=third), devops)
    rest = claimed_keys(architect, worker, 6)
    assert rest.index("C-0") <= 2
    assert rest.index("B-1") <= 2
    assert sorted(rest) == ["A-2", "A-3", "A-4", "A-5", "B-1", "C-0"]


def test_a_worker_of_one_project_gets_only_its_work(make_ticket, make_worker, project, devops, worker):
    other = ensure_project(key="other", by=devops)
    queue(make_ticket("A-1"), devops)
    queue(make_ticket("B-1", in_project=other), devops)
    own = make_worker("architect", "only-other", project=other)
    assert claimed_keys(own, worker, 1) == ["B-1"]
    assert claim_task(worker=own, by=worker) is None
    assert claim_task(worker=own, by=worker, project=project) is None
    assert claim_task(worker=own, by=worker, ticket=find_ticket(user=worker, key="A-1")) is None
    free = make_worker("architect", "free")
    assert claim_task(worker=free, by=worker, project=other) is None
    assert claim_task(worker=free, by=worker, project=project).ticket.key == "A-1"


def test_a_worker_of_another_tenant_gets_nothing(ticket, devops, outsider, other_tenant):
    queue(ticket, devops)
    theirs = register_worker(worker_id="a", worker_type="architect", tenant=other_tenant, by=outsider)
    assert claim_task(worker=theirs, by=outsider) is None


def test_one_ticket_can_be_claimed_by_name(make_ticket, architect, devops, worker):
    tickets = [make_ticket(f"T-{number}") for number in range(3)]
    for ticket in tickets:
        queue(ticket, devops)
    assert claim_task(worker=architect, by=worker, ticket=tickets[2]).ticket == tickets[2]
    assert claim_task(worker=architect, by=worker, ticket=tickets[2]) is None


def test_a_lease_lasts_as_long_as_the_project_says(project, claimed, worker, cpi, devops, make_ticket):
    assert 290 < claimed.seconds_left <= 300
    edit_project(project=project, by=cpi, settings={"lease_seconds": 900})
    queue(make_ticket("T-2"), devops)
    task = claim_task(worker=claimed.claimed_by, by=worker)
    assert 880 < task.seconds_left <= 900
    assert 880 < heartbeat_task(task=claimed, fence=claimed.fence, by=worker).seconds_left <= 900


@pytest.mark.parametrize("seconds", [0, 4, -1, 86_401])
def test_leases_are_bounded(seconds, architect, worker):
    with pytest.raises(InvalidInput) as refusal:
        claim_task(worker=architect, by=worker, lease_seconds=seconds)
    assert refusal.value.field == "lease_seconds"


def test_every_rule_against_a_claim_has_its_name(make_ticket, make_worker, project, devops, worker, viewer):
    def codes(ticket, by=worker, **who) -> list[str]:
        ticket.refresh_from_db()
        answer = explain_claim(user=by, ticket=ticket, **who)
        assert answer.claimable == (not answer.reasons)
        return [reason.code for reason in answer.reasons]

    architect = make_worker("architect")
    ticket = make_ticket("T-1", "architect")
    assert codes(ticket) == ["not_queued"]
    queue(ticket, devops)
    assert codes(ticket, worker=architect) == []
    assert codes(ticket, by=viewer) == ["no_right"]
    assert codes(ticket, worker_type="tester") == ["wrong_type"]
    elsewhere = make_worker("architect", "elsewhere", project=ensure_project(key="other", by=devops))
    assert codes(ticket, worker=elsewhere) == ["wrong_project"]
    blocker = make_ticket("T-2")
    add_dependency(ticket=ticket, blocker=blocker, by=devops)
    assert codes(ticket) == ["blocked"]
    close_ticket(ticket=blocker, by=devops)
    task = claim_task(worker=architect, by=worker)
    assert codes(ticket) == ["claimed"]
    fail_task(task=task, fence=task.fence, by=worker, error="broken")
    assert codes(ticket) == ["back_off"]
    StageTask.objects.filter(pk=task.pk).update(next_at="2000-01-01T00:00:00Z")
    task = claim_task(worker=architect, by=worker)
    fail_task(task=task, fence=task.fence, by=worker, error="broken", retry=False)
    assert codes(ticket) == ["dead"]
    stop_worker(worker=architect, by=worker)
    architect.refresh_from_db()
    assert "worker_stopped" in codes(ticket, worker=architect)
    close_ticket(ticket=ticket, by=devops)
    assert codes(ticket) == ["ticket_closed"]
    done = make_ticket("T-3", "architect")
    queue(done, devops)
    again = register_worker(worker_id="architect-1", worker_type="architect", tenant=project.tenant, by=worker)
    task = claim_task(worker=again, by=worker)
    complete_stage(task=task, fence=task.fence, by=worker)
    assert codes(done) == ["no_stage_left"]


def test_what_explains_agrees_with_what_claims(make_ticket, architect, devops, worker):
    """Whenever nothing stands against it, claiming that ticket succeeds, and never otherwise."""
    for number in range(4):
        ticket = make_ticket(f"T-{number}")
        if number % 2:
            queue(ticket, devops)
        if number == 3:
            add_dependency(ticket=ticket, blocker=make_ticket("B"), by=devops)
        claimable = explain_claim(user=worker, ticket=ticket, worker=architect).claimable
        assert (claim_task(worker=architect, by=worker, ticket=ticket) is not None) == claimable


def test_workers_come_and_go(ticket, make_worker, devops, worker, tenant, other_devops):
    architect = make_worker("architect", capabilities=("python", "sql"))
    assert architect.status == "idle"
    with pytest.raises(Conflict) as refusal:
        register_worker(worker_id="Architect-1", worker_type="architect", tenant=tenant, by=devops)
    assert refusal.value.code == "worker_taken"
    queue(ticket, devops)
    task = claim_task(worker=architect, by=worker)
    assert [w.status for w in list_workers(user=devops)] == ["active"]
    stopped = stop_worker(worker=architect, by=other_devops, reason="maintenance")
    assert stopped.status == "stopped"
    task.refresh_from_db()
    assert (task.state, task.attempt) == ("queued", 0)
    facts = DomainEvent.objects.filter(type__in=["ticket.stage_released", "worker.stopped"]).order_by("sequence")
    assert [fact.type for fact in facts] == ["ticket.stage_released", "worker.stopped"]
    assert facts[1].data["reason"] == "maintenance"
    assert stop_worker(worker=architect, by=worker).stop_reason == "maintenance"
    with pytest.raises(Conflict) as refusal:
        claim_task(worker=Worker.objects.get(), by=worker)
    assert refusal.value.code == "worker_stopped"
    assert make_worker("architect").status == "idle"
    assert DomainEvent.objects.filter(type="worker.started").count() == 2
    assert [w.worker_id for w in list_workers(user=devops, status="idle")] == ["architect-1"]
    assert not list_workers(user=devops, status="stopped").exists()


def test_a_silent_worker_counts_as_gone_and_leaves_an_event(claimed, worker, devops, make_ticket):
    Worker.objects.update(silent_at="2000-01-01T00:00:00Z")
    assert Worker.objects.get().status == "stopped"
    with pytest.raises(Conflict) as refusal:
        queue_task(ticket=make_ticket("T-2"), by=devops)
    assert refusal.value.code == "no_active_worker"
    assert stop_silent_workers() == 1
    assert stop_silent_workers() == 0
    fact = DomainEvent.objects.get(type="worker.stopped")
    assert (fact.actor_id, fact.data["tickets"]) == (None, ["TICKET-001"])
    claimed.refresh_from_db()
    assert claimed.state == "queued"


def test_a_heartbeat_keeps_a_worker_there(architect, worker, devops):
    Worker.objects.update(last_seen_at="2000-01-01T00:00:00Z", silent_at="2000-01-01T00:00:00Z")
    heartbeat_worker(worker=Worker.objects.select_related("tenant").get(), by=worker)
    assert Worker.objects.get().is_present
    with pytest.raises(NotAllowed) as refusal:
        heartbeat_worker(worker=architect, by=devops)
    assert refusal.value.code == "not_your_worker"
    withdraw_role(user=worker, tenant=architect.tenant, role=Role.WORKER)
    with pytest.raises(NotAllowed) as refusal:
        heartbeat_worker(worker=architect, by=User.objects.get(pk=worker.pk))
    assert refusal.value.code == "not_authorized"


def test_queues_are_counted(make_ticket, architect, devops, worker):
    for number in range(3):
        queue(make_ticket(f"T-{number}"), devops)
    claim_task(worker=architect, by=worker)
    (row,) = queue_lengths(user=devops)
    assert (row["queue_name"], row["queued"], row["claimed"]) == ("architect-queue", 2, 1)


def test_opening_may_queue_at_once(project, devops, cpi):
    eager = edit_project(project=project, by=cpi, settings={"queue_first_stage": True})
    ticket = open_ticket(project=eager, content=ticket_content(), by=devops)
    assert ticket.tasks.get().state == "queued"
    with pytest.raises(InvalidInput):
        edit_project(project=project, by=cpi, settings={"colour": "red"})
    back = edit_project(project=project, by=cpi, settings={"queue_first_stage": None})
    assert back.setting("queue_first_stage") is False
    edit_project(project=project, by=cpi, settings={"queue_first_stage": None})
    told = DomainEvent.objects.filter(type="project.changed").order_by("sequence")
    assert [(fact.subject_id, fact.data["after"]["settings"], fact.actor_label) for fact in told] == [
        (project.key, {"queue_first_stage": True}, cpi.email), (project.key, {}, cpi.email)
    ]  # fmt: skip
