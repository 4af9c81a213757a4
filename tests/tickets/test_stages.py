"""The seed's course: plan, queue, claim, complete; and everything that may come between."""

from __future__ import annotations

import pytest

from core.errors import Conflict, InvalidInput, NotAllowed, WrongState
from events.models import DomainEvent
from tests.tickets.conftest import expire, steps
from tickets.errors import LeaseLost
from tickets.models import Comment, StageTask, Ticket
from tickets.selectors import find_ticket
from tickets.services import (
    claim_task,
    close_ticket,
    complete_stage,
    edit_project,
    fail_task,
    go_back_a_stage,
    heartbeat_task,
    queue_task,
    release_task,
    retry_task,
    set_stage,
)


def facts(*types: str) -> list[str]:
    found = DomainEvent.objects.order_by("sequence").values_list("type", flat=True)
    return [type for type in found if not types or type in types]


def test_the_whole_course_of_a_plan(ticket, make_worker, devops, worker):
    assert (ticket.state, ticket.last_completed_stage, ticket.stage) == ("open", "Planned", "architect")
    workers = {name: make_worker(name) for name in ("architect", "developer", "tester")}
    queue_task(ticket=ticket, by=devops)
    for number, name in enumerate(("architect", "developer", "tester"), start=1):
        task = claim_task(worker=workers[name], by=worker)
        done = complete_stage(task=task, fence=task.fence, by=worker, comment=f"{name} is **done**")
        assert (done.ticket.last_completed_stage, done.ticket.progress, done.late) == (name, number, False)
        assert (done.comment.author, done.comment.worker_id, done.comment.stage_number) == (worker, f"{name}-1", number)
    assert done.next_task is None
    now_it_is = find_ticket(user=devops, key="ticket-001")
    assert (now_it_is.stage, now_it_is.state) == ("", "in_progress")
    assert facts() == [
        "ticket.opened", "worker.started", "worker.started", "worker.started", "ticket.stage_queued",
        "ticket.started", "ticket.stage_claimed", "ticket.stage_completed",
        "ticket.stage_claimed", "ticket.stage_completed", "ticket.stage_claimed", "ticket.stage_completed",
    ]  # fmt: skip
    last = DomainEvent.objects.order_by("-sequence").first()
    assert (last.data["stage"], last.data["worker_id"], last.data["plan_completed"]) == ("tester", "tester-1", True)
    assert last.actor_id == worker.public_id


def test_a_worker_type_may_come_twice(make_ticket, make_worker, devops, worker):
    ticket = make_ticket("T-1", "developer", "tester", "developer")
    developer, tester = make_worker("developer"), make_worker("tester")
    queue_task(ticket=ticket, by=devops)
    for who in (developer, tester, developer):
        task = claim_task(worker=who, by=worker)
        complete_stage(task=task, fence=task.fence, by=worker)
    ticket.refresh_from_db()
    assert (ticket.progress, ticket.last_completed_stage, ticket.stage) == (3, "developer", "")
    assert list(StageTask.objects.order_by("step").values_list("step", "state")) == [
        (0, "done"),
        (1, "done"),
        (2, "done"),
    ]


def test_queueing_twice_is_one_task(ticket, make_worker, devops):
    make_worker("architect")
    first, _ = queue_task(ticket=ticket, by=devops, worker_type="architect")
    second, hint = queue_task(ticket=ticket, by=devops)
    assert first == second
    assert hint.worker_id == "architect-1"
    assert facts("ticket.stage_queued") == ["ticket.stage_queued"]


def test_queueing_wants_the_next_stage_and_somebody_to_do_it(ticket, make_worker, devops):
    with pytest.raises(Conflict, match="No active worker found for type 'architect'") as refusal:
        queue_task(ticket=ticket, by=devops)
    assert refusal.value.code == "no_active_worker"
    make_worker("architect")
    with pytest.raises(Conflict) as refusal:
        queue_task(ticket=ticket, by=devops, worker_type="tester")
    assert (refusal.value.code, refusal.value.details) == ("not_next_stage", {"next_stage": "architect"})
    assert not StageTask.objects.exists()


def test_the_second_completion_is_refused(claimed, worker):
    complete_stage(task=claimed, fence=claimed.fence, by=worker, comment="once")
    with pytest.raises(LeaseLost) as refusal:
        complete_stage(task=claimed, fence=claimed.fence, by=worker, comment="twice")
    assert refusal.value.code == "already_completed"
    assert Comment.objects.filter(kind="stage").count() == 1
    assert Ticket.objects.get().progress == 1


def test_a_late_completion_counts_only_while_nobody_took_over(claimed, worker):
    expire(claimed)
    assert complete_stage(task=claimed, fence=claimed.fence, by=worker).late is True


def test_who_lost_the_lease_cannot_complete(claimed, make_worker, worker, ticket):
    expire(claimed)
    second = make_worker("architect", "architect-2")
    taken = claim_task(worker=second, by=worker)
    assert (taken.pk, taken.fence, taken.attempt) == (claimed.pk, claimed.fence + 1, 2)
    for verb, words in (
        (complete_stage, {"comment": "late"}), (fail_task, {"error": "late"}), (release_task, {}), (heartbeat_task, {}),
    ):  # fmt: skip
        with pytest.raises(LeaseLost, match="architect-2") as refusal:
            verb(task=claimed, fence=claimed.fence, by=worker, **words)
        assert refusal.value.code == "lease_lost"
    ticket.refresh_from_db()
    assert ticket.progress == 0
    expired = DomainEvent.objects.get(type="ticket.stage_lease_expired")
    assert (expired.data["worker_id"], expired.data["fence"]) == ("architect-1", claimed.fence)
    assert complete_stage(task=taken, fence=taken.fence, by=worker).ticket.progress == 1


def test_the_fence_of_another_account_is_worth_nothing(claimed, devops):
    with pytest.raises(LeaseLost) as refusal:
        complete_stage(task=claimed, fence=claimed.fence, by=devops)
    assert refusal.value.code == "not_claimant"


def test_heartbeat_extends_the_lease(claimed, worker):
    before = claimed.lease_until
    beaten = heartbeat_task(task=claimed, fence=claimed.fence, by=worker, lease_seconds=3600)
    assert (beaten.lease_until - before).total_seconds() > 3000


def test_failing_waits_then_dies_and_only_a_person_retries(claimed, make_worker, worker, devops):
    architect = claimed.claimed_by
    for attempt in range(1, 6):
        task = claimed if attempt == 1 else claim_task(worker=architect, by=worker)
        assert task.attempt == attempt
        failed = fail_task(task=task, fence=task.fence, by=worker, error=f"broken {attempt}")
        assert failed.state == ("failed" if attempt < 5 else "dead")
        assert claim_task(worker=architect, by=worker) is None
        StageTask.objects.filter(pk=task.pk).update(next_at="2000-01-01T00:00:00Z")
    assert facts("ticket.stage_failed", "ticket.stage_exhausted") == ["ticket.stage_failed"] * 4 + [
        "ticket.stage_exhausted"
    ]
    with pytest.raises(WrongState) as refusal:
        queue_task(ticket=task.ticket, by=devops)
    assert refusal.value.code == "stage_dead"
    with pytest.raises(NotAllowed) as refusal:
        retry_task(task=task, by=worker)
    assert refusal.value.code == "person_required"
    assert retry_task(task=task, by=devops).attempt == 0
    assert claim_task(worker=architect, by=worker).pk == task.pk
    with pytest.raises(WrongState):
        retry_task(task=task, by=devops)


def test_a_task_nobody_ever_finishes_dies_without_a_sweeper(claimed, worker):
    architect = claimed.claimed_by
    for _ in range(4):
        expire(claimed)
        assert claim_task(worker=architect, by=worker).pk == claimed.pk
    expire(claimed)
    assert claim_task(worker=architect, by=worker) is None
    claimed.refresh_from_db()
    assert (claimed.state, claimed.attempt) == ("dead", 5)
    assert facts("ticket.stage_exhausted") == ["ticket.stage_exhausted"]


def test_release_does_not_count_the_attempt(claimed, worker):
    released = release_task(task=claimed, fence=claimed.fence, by=worker, reason="shift ends")
    assert (released.state, released.attempt) == ("queued", 0)
    with pytest.raises(LeaseLost) as refusal:
        complete_stage(task=claimed, fence=claimed.fence, by=worker)
    assert refusal.value.code == "not_claimed"
    assert claim_task(worker=claimed.claimed_by, by=worker).fence == claimed.fence + 1


def test_going_back_takes_the_work_away_and_opens_a_new_round(claimed, make_worker, worker, devops, ticket):
    complete_stage(task=claimed, fence=claimed.fence, by=worker)
    developer = make_worker("developer")
    task = claim_task(worker=developer, by=worker)
    back = go_back_a_stage(ticket=ticket, by=devops, reason="The design forgot log-out")
    assert (back.ticket.progress, back.ticket.round, back.ticket.last_completed_stage) == (0, 2, "Planned")
    assert back.next_task.worker_type == "architect"
    with pytest.raises(LeaseLost) as refusal:
        complete_stage(task=task, fence=task.fence, by=worker)
    assert refusal.value.code == "task_canceled"
    assert "log-out" in refusal.value.message
    again = claim_task(worker=claimed.claimed_by, by=worker)
    assert complete_stage(task=again, fence=again.fence, by=worker).ticket.progress == 1


def test_going_back_needs_something_done_and_a_reason(ticket, devops):
    with pytest.raises(WrongState) as refusal:
        go_back_a_stage(ticket=ticket, by=devops, reason="because")
    assert refusal.value.code == "nothing_done"
    with pytest.raises(InvalidInput):
        go_back_a_stage(ticket=ticket, by=devops, reason=" ")


def test_closing_cancels_the_work_and_keeps_the_progress(claimed, worker, devops, ticket):
    closed = close_ticket(ticket=ticket, by=devops, resolution="stopped")
    assert (closed.state, closed.last_completed_stage) == ("stopped", "Planned")
    assert closed.comments.last().stage_number == 999
    with pytest.raises(LeaseLost) as refusal:
        complete_stage(task=claimed, fence=claimed.fence, by=worker)
    assert refusal.value.code == "task_canceled"
    with pytest.raises(WrongState) as refusal:
        close_ticket(ticket=ticket, by=devops, resolution="completed")
    assert refusal.value.code == "ticket_closed"
    assert facts("ticket.closed") == ["ticket.closed"]


def test_setting_a_stage_by_hand(ticket, devops, project, cpi):
    edit_project(project=project, by=cpi, settings={"queue_next_stage": False})
    assert set_stage(ticket=ticket, last_completed_stage="architect", by=devops, comment="done by me").progress == 1
    assert set_stage(ticket=ticket, last_completed_stage="architect", by=devops).version == 2
    assert set_stage(ticket=ticket, last_completed_stage="developer", by=devops).stage == "tester"
    assert not StageTask.objects.open().exists()
    assert set_stage(ticket=ticket, last_completed_stage="Planned", by=devops).progress == 0
    with pytest.raises(Conflict) as refusal:
        set_stage(ticket=ticket, last_completed_stage="tester", by=devops)
    assert refusal.value.code == "not_next_stage"


def test_setting_a_stage_that_a_worker_holds_is_refused(claimed, devops, ticket):
    with pytest.raises(Conflict) as refusal:
        set_stage(ticket=ticket, last_completed_stage="architect", by=devops)
    assert refusal.value.code == "stage_claimed"


def test_a_project_may_leave_queueing_to_the_coordinator(project, claimed, worker, cpi):
    edit_project(project=project, by=cpi, settings={"queue_next_stage": False})
    assert complete_stage(task=claimed, fence=claimed.fence, by=worker).next_task is None


def test_steps_reads_gates():
    assert [step.gate for step in steps("a", "?b")] == [False, True]
