"""A ticket's whole life by random verbs, against a small model of what must hold."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import Tenant, User
from accounts.roles import Role
from accounts.services import grant_role
from core.errors import DomainError
from events.models import DomainEvent
from events.selectors import find_chain_break
from tests.tickets.conftest import expire, steps, ticket_content
from tickets.models import StageTask, Ticket
from tickets.selectors import explain_claim
from tickets.services import (
    claim_task,
    close_ticket,
    complete_stage,
    decide_gate,
    ensure_project,
    fail_task,
    go_back_a_stage,
    heartbeat_task,
    move_ticket,
    open_ticket,
    queue_task,
    register_worker,
    release_task,
    retry_task,
    set_stage,
)
from tickets.states import CLOSED, MOVES, TASK_OPEN, TICKET

EFFORT = int(os.environ.get("TEST_EFFORT", "1"))
STAGES = ("developer", "tester")
PLANS = [
    ("developer", "tester", "developer"),
    ("developer", "?sign-off", "tester"),
    ("?sign-off", "?again"),
    ("tester",),
]


class TicketLife(RuleBasedStateMachine):
    """Every verb at any time, with old fences too; the outcome must be a refusal of ours or agree with the model."""

    def __init__(self) -> None:
        super().__init__()
        self.transaction = transaction.atomic()  # each life in one of its own, which is taken back at its end
        self.transaction.__enter__()

    @initialize(plan=st.sampled_from(PLANS))
    def begin(self, plan: tuple[str, ...]) -> None:
        tenant = Tenant.objects.create(slug="tenant")
        people = {}
        for name, role in (("devops", Role.DEVOPS), ("cpi", Role.CPI), ("worker", Role.WORKER)):
            people[name] = User.objects.create(email=f"{name}@example.com")
            grant_role(user=people[name], tenant=tenant, role=role)
        self.devops, self.cpi, self.worker = people["devops"], people["cpi"], people["worker"]
        self.hands = [
            register_worker(worker_id=f"{stage}-{n}", worker_type=stage, tenant=tenant, by=self.worker)
            for stage in STAGES
            for n in (1, 2)
        ]
        self.ticket = open_ticket(
            project=ensure_project(key="p", by=self.devops, tenant=tenant), content=ticket_content(), by=self.devops
        )
        self.ticket = open_ticket(
            project=self.ticket.project, content=ticket_content(*plan), by=self.devops, key="LIFE"
        )
        self.plan = steps(*plan)
        self.held: list[tuple[StageTask, int]] = []  # every claim ever made, with its fence
        self.current: tuple[int, int] | None = None  # the claim that counts: task and fence
        self.progress, self.round = 0, 1

    def attempt(self, verb: Any, /, **words: Any) -> Any:
        """The outcome, or None when the system refused; anything else that is raised is a mistake of ours."""
        try:
            return verb(**words)
        except DomainError:
            return None

    @property
    def now(self) -> Ticket:
        return Ticket.objects.select_related("project", "tenant").get(pk=self.ticket.pk)

    @rule()
    def queue(self) -> None:
        self.attempt(queue_task, ticket=self.now, by=self.devops)

    @rule(hand=st.integers(0, 3))
    def claim(self, hand: int) -> None:
        worker = self.hands[hand]
        expected = explain_claim(user=self.worker, ticket=self.now, worker=worker).claimable
        exhausted = StageTask.objects.filter(
            ticket=self.ticket, state="claimed", attempt__gte=5, worker_type=worker.worker_type
        ).exists()
        task = claim_task(worker=worker, by=self.worker, ticket=self.now)
        if not exhausted:
            assert (task is not None) == expected
        if task is not None:
            step = self.plan[self.progress]
            assert (task.worker_type, step.gate, task.step, task.round) == (
                step.stage,
                False,
                self.progress,
                self.round,
            )
            self.held.append((task, task.fence))
            self.current = (task.pk, task.fence)
        elif exhausted:
            self.current = None

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        task, fence = data.draw(st.sampled_from(self.held))
        done = self.attempt(
            complete_stage, task=StageTask.objects.get(pk=task.pk), fence=fence, by=self.worker, comment="done"
        )
        assert (done is not None) == (self.current == (task.pk, fence)), "only the claim that counts completes"
        if done is not None:
            self.current, self.progress = None, self.progress + 1

    @precondition(lambda self: self.held)
    @rule(data=st.data(), verb=st.sampled_from([fail_task, release_task, heartbeat_task]))
    def other_ends(self, data: st.DataObject, verb: Any) -> None:
        task, fence = data.draw(st.sampled_from(self.held))
        words = {"error": "broken"} if verb is fail_task else {}
        outcome = self.attempt(verb, task=StageTask.objects.get(pk=task.pk), fence=fence, by=self.worker, **words)
        assert (outcome is not None) == (self.current == (task.pk, fence))
        if outcome is not None and verb is not heartbeat_task:
            self.current = None

    @precondition(lambda self: self.current)
    @rule()
    def let_the_lease_run_out(self) -> None:
        """Until someone takes over, the holder may still complete."""
        expire(StageTask.objects.get(pk=self.current[0]))

    @rule()
    def let_time_pass(self) -> None:
        StageTask.objects.filter(ticket=self.ticket, state="failed").update(next_at="2000-01-01T00:00:00Z")

    @rule()
    def retry(self) -> None:
        for task in StageTask.objects.filter(ticket=self.ticket, state="dead"):
            self.attempt(retry_task, task=task, by=self.devops)

    @rule(approve=st.booleans(), who=st.sampled_from(["cpi", "worker", "devops"]))
    def decide(self, approve: bool, who: str) -> None:
        waiting = StageTask.objects.filter(ticket=self.ticket, state="waiting_for_person").exists()
        decided = self.attempt(decide_gate, ticket=self.now, by=getattr(self, who), approve=approve, comment="because")
        assert (decided is not None) == (waiting and who == "cpi")
        if decided is not None and approve:
            self.progress += 1

    @rule()
    def go_back(self) -> None:
        back = self.attempt(go_back_a_stage, ticket=self.now, by=self.devops, reason="once more")
        assert (back is not None) == (self.progress > 0 and self.ticket_is_open)
        if back is not None:
            self.progress, self.round, self.current = self.progress - 1, self.round + 1, None

    @rule()
    def complete_by_hand(self) -> None:
        ticket = self.now
        done = self.attempt(set_stage, ticket=ticket, last_completed_stage=ticket.stage or "none", by=self.devops)
        if done is not None and ticket.stage:
            assert not self.plan[self.progress].gate
            self.progress, self.current = self.progress + 1, None

    @rule(verb=st.sampled_from(MOVES))
    def move(self, verb: str) -> None:
        before = self.now
        moved = self.attempt(move_ticket, ticket=before, verb=verb, by=self.cpi, comment="because")
        edge = TICKET.find(before.state, verb)
        if moved is not None:
            assert edge is not None
            assert moved.state == edge.target

    @rule(resolution=st.sampled_from(["completed", "stopped"]), by=st.sampled_from(["devops", "cpi"]))
    def close(self, resolution: str, by: str) -> None:
        closed = self.attempt(close_ticket, ticket=self.now, by=getattr(self, by), resolution=resolution)
        if closed is not None:
            self.current = None
            passed = not any(step.gate for step in self.plan[self.progress :])
            assert passed or resolution == "stopped" or by == "cpi"

    @property
    def ticket_is_open(self) -> bool:
        return not Ticket.objects.get(pk=self.ticket.pk).is_closed

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "plan"):
            return
        ticket = self.now
        tasks = list(StageTask.objects.filter(ticket=ticket))
        assert (ticket.progress, ticket.round) == (self.progress, self.round)
        assert ticket.stage == (self.plan[self.progress].stage if self.progress < len(self.plan) else "")
        assert ticket.last_completed_stage == (self.plan[self.progress - 1].stage if self.progress else "Planned")
        open_tasks = [task for task in tasks if task.state in TASK_OPEN]
        assert len(open_tasks) <= 1
        assert all(task.step == self.progress for task in open_tasks)
        assert not (open_tasks and ticket.state in CLOSED)
        assert [(task.pk, task.fence) for task in tasks if task.state == "claimed"] == (
            [self.current] if self.current else []
        )
        done = [(task.step, task.round) for task in tasks if task.state == "done"]
        assert len(done) == len(set(done))
        completed = DomainEvent.objects.filter(
            type="ticket.stage_completed", tenant=ticket.tenant, subject_id="LIFE"
        ).count()
        assert completed == len(done)

    def teardown(self) -> None:
        try:
            if not connection.needs_rollback:
                assert find_chain_break() is None
        finally:
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)


def live(examples: int, steps_each: int) -> None:
    run_state_machine_as_test(
        TicketLife,
        settings=settings(
            max_examples=examples, stateful_step_count=steps_each, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


@pytest.mark.timeout(600)
def test_any_order_of_verbs_leaves_the_books_in_agreement(db):
    live(20, 30)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_any_order_of_verbs_for_longer(db):
    live(40 * EFFORT, 80)
