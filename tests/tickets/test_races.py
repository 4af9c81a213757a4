"""Real transactions and processes against each other: nothing is done twice, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import partial

import pytest
from django.db import connection

from accounts.models import User
from core.errors import Conflict, DomainError, WrongState
from events.models import DomainEvent
from events.selectors import find_chain_break
from tests.races import at_once, in_processes, winners
from tests.tickets.conftest import expire, ticket_content
from tickets.errors import LeaseLost, VersionConflict
from tickets.models import Comment, Dependency, StageTask, Ticket, Worker
from tickets.selectors import get_events
from tickets.services import (
    add_dependency,
    claim_task,
    close_ticket,
    comment_on_ticket,
    complete_stage,
    decide_gate,
    edit_ticket,
    go_back_a_stage,
    open_ticket,
    queue_task,
    register_worker,
    reopen_ticket,
)

pytestmark = pytest.mark.django_db(transaction=True)


def fill_queue(project, by, count: int, stage: str = "architect") -> None:
    """`count` tickets with their first stage queued, made by the database itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tickets_ticket (tenant_id, project_id, key, author_id, title, description, type, priority, labels,"
            " state, plan, progress, stage, last_completed_stage, round, version, created_at, updated_at)"
            " SELECT %s, %s, 'Q-' || number, %s, 'Ticket ' || number, '', 'task', 2, '{}', 'in_progress',"
            " jsonb_build_array(jsonb_build_object('stage', %s::text, 'gate', false)), 0, %s, 'Planned', 1, 1, now(), now()"
            " FROM generate_series(1, %s) AS number",
            [project.tenant_id, project.pk, by.pk, stage, stage, count],
        )
        cursor.execute(
            "INSERT INTO tickets_stagetask (tenant_id, project_id, ticket_id, step, round, worker_type, state, priority,"
            " turn, attempt, max_attempts, fence, next_at, last_error, created_at)"
            " SELECT tenant_id, project_id, id, 0, 1, stage, 'queued', priority, id, 0, 5, 0, now(), '', now()"
            " FROM tickets_ticket WHERE project_id = %s",
            [project.pk],
        )
        cursor.execute("VACUUM ANALYZE tickets_stagetask, tickets_ticket")


def claim_until_empty(hand: Worker, account: int) -> tuple[list[int], list[str]]:
    """What one worker completed, and what it was told when it completed every fiftieth of them again."""
    by = User.objects.get(pk=account)
    done: list[int] = []
    second: list[str] = []
    while (task := claim_task(worker=hand, by=by)) is not None:
        complete_stage(task=task, fence=task.fence, by=by, comment="done")
        done.append(task.pk)
        if len(done) % 50 == 0:
            try:
                complete_stage(task=task, fence=task.fence, by=by, comment="again")
            except LeaseLost as refusal:
                second.append(refusal.code)
            else:
                second.append("accepted")
    return done, second


def claim_all(project, by, count: int, workers: int) -> None:
    """Claim and complete everything with `workers` processes; each task exactly once, each second completion refused."""
    fill_queue(project, by, count)
    hands = [
        register_worker(worker_id=f"w-{number}", worker_type="architect", tenant=project.tenant, by=by)
        for number in range(workers)
    ]
    answers = in_processes(*(partial(claim_until_empty, hand, by.pk) for hand in hands))
    times = Counter(pk for done, _ in answers for pk in done)
    assert len(times) == count
    assert set(times.values()) == {1}
    second = Counter(code for _, codes in answers for code in codes)
    assert second == {"already_completed": sum(len(done) // 50 for done, _ in answers)}
    assert second, "nobody tried twice"
    assert StageTask.objects.filter(state="done", attempt=1, fence=1).count() == count
    assert Comment.objects.filter(kind="stage").count() == count
    assert DomainEvent.objects.filter(type="ticket.stage_completed").count() == count


@pytest.mark.timeout(600)
def test_sixteen_workers_claim_nothing_twice(project, worker):
    claim_all(project, worker, int(os.environ.get("CLAIMS", "1000")), 16)
    assert find_chain_break() is None


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_sixteen_workers_claim_thousands(project, worker):
    """MANY_CLAIMS=100000 makes it twenty-five times as many, and takes as many times as long."""
    claim_all(project, worker, int(os.environ.get("MANY_CLAIMS", "4000")), 16)


@pytest.mark.parametrize("round", range(5))
def test_two_completions_have_one_winner(round, claimed, worker):
    outcomes = at_once(
        *(lambda: complete_stage(task=StageTask.objects.get(pk=claimed.pk), fence=claimed.fence, by=worker),) * 4
    )
    assert len(winners(outcomes)) == 1
    assert Ticket.objects.get().progress == 1
    assert DomainEvent.objects.filter(type="ticket.stage_completed").count() == 1


@pytest.mark.parametrize("round", range(8))
def test_closing_against_completing(round, claimed, worker, devops, ticket):
    outcomes = at_once(
        lambda: complete_stage(task=claimed, fence=claimed.fence, by=worker, comment="made it"),
        lambda: close_ticket(ticket=ticket, by=devops, resolution="stopped"),
    )
    completed, closed = outcomes
    assert not isinstance(closed, Exception), closed
    ticket.refresh_from_db()
    assert ticket.state == "stopped"
    assert not StageTask.objects.open().exists()
    if isinstance(completed, LeaseLost):
        assert (completed.code, ticket.progress) == ("task_canceled", 0)
        assert not Comment.objects.filter(kind="stage").exists()
    else:
        assert not isinstance(completed, Exception), completed
        assert ticket.progress == 1


@pytest.mark.parametrize("round", range(8))
def test_closing_against_claiming_and_queueing(round, ticket, make_worker, worker, devops):
    architect = make_worker("architect")
    queue_task(ticket=ticket, by=devops)
    outcomes = at_once(
        lambda: claim_task(worker=architect, by=worker),
        lambda: close_ticket(ticket=ticket, by=devops, resolution="stopped"),
        lambda: queue_task(ticket=ticket, by=devops),
    )
    winners(outcomes)
    assert not StageTask.objects.open().exists()
    assert not isinstance(outcomes[1], Exception), outcomes[1]
    assert Ticket.objects.get().state == "stopped"


def test_queueing_at_once_makes_one_task(ticket, make_worker, devops):
    make_worker("architect")
    outcomes = at_once(*(lambda: queue_task(ticket=ticket, by=devops),) * 6)
    assert len({task.pk for task, _ in winners(outcomes)}) == 1
    assert len(winners(outcomes)) == 6
    assert DomainEvent.objects.filter(type="ticket.stage_queued").count() == 1


@pytest.mark.parametrize("round", range(5))
def test_going_back_against_completing(round, claimed, make_worker, worker, devops, ticket):
    complete_stage(task=claimed, fence=claimed.fence, by=worker)
    task = claim_task(worker=make_worker("developer"), by=worker)
    outcomes = at_once(
        lambda: complete_stage(task=task, fence=task.fence, by=worker),
        lambda: go_back_a_stage(ticket=ticket, by=devops, reason="once more", to_step=0),
    )
    assert not isinstance(outcomes[1], Exception), outcomes[1]
    ticket.refresh_from_db()
    assert (ticket.progress, ticket.stage, ticket.round) == (0, "architect", 2)
    assert [task.step for task in StageTask.objects.open()] == [0]


def test_two_expired_lease_claims_have_one_winner(claimed, make_worker, worker):
    hands = [make_worker("architect", f"a-{number}") for number in range(4)]
    expire(claimed)
    outcomes = at_once(*(lambda hand=hand: claim_task(worker=hand, by=worker) for hand in hands))
    assert len([task for task in winners(outcomes) if task is not None]) == 1
    claimed.refresh_from_db()
    assert (claimed.fence, claimed.attempt) == (2, 2)


@pytest.mark.parametrize("round", range(5))
def test_half_a_cycle_each(round, make_ticket, devops):
    first, second, third = make_ticket("T-1"), make_ticket("T-2"), make_ticket("T-3")
    outcomes = at_once(
        lambda: add_dependency(ticket=first, blocker=second, by=devops),
        lambda: add_dependency(ticket=second, blocker=third, by=devops),
        lambda: add_dependency(ticket=third, blocker=first, by=devops),
    )
    assert len(winners(outcomes)) == 2
    (refusal,) = (outcome for outcome in outcomes if isinstance(outcome, Conflict))
    assert refusal.code == "dependency_cycle"
    assert Dependency.objects.count() == 2


@pytest.mark.parametrize("round", range(5))
def test_a_blocker_that_is_done_just_now_holds_nothing(round, make_ticket, devops):
    ticket, blocker = make_ticket("T-1"), make_ticket("T-2")
    outcomes = at_once(
        lambda: add_dependency(ticket=ticket, blocker=blocker, by=devops),
        lambda: close_ticket(ticket=blocker, by=devops),
    )
    assert len(winners(outcomes)) == 2
    assert Dependency.objects.get().holds is False


@pytest.mark.parametrize("round", range(5))
def test_relations_of_the_same_tickets_wait_for_each_other(round, make_ticket, devops):
    first, second = make_ticket("T-1"), make_ticket("T-2")
    outcomes = at_once(
        lambda: edit_ticket(ticket=first, by=devops, parent="T-2"),
        lambda: add_dependency(ticket=second, blocker=first, by=devops),
        lambda: edit_ticket(ticket=first, by=devops, parent=""),
    )
    assert len(winners(outcomes)) == 3


def test_two_edits_of_one_version_have_one_winner(ticket, devops):
    outcomes = at_once(
        *(lambda title=title: edit_ticket(ticket=ticket, by=devops, title=title, version=1) for title in "abcd")
    )
    assert len(winners(outcomes)) == 1
    assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 3
    ticket.refresh_from_db()
    assert ticket.version == 2


def test_one_key_is_opened_once(project, devops):
    outcomes = at_once(
        *(lambda: open_ticket(project=project, content=ticket_content(), by=devops, key="TICKET-001"),) * 4
    )
    assert len(winners(outcomes)) == 1
    assert {outcome.code for outcome in outcomes if isinstance(outcome, DomainError)} == {"ticket_exists"}


def test_generated_keys_have_neither_gaps_nor_doubles(project, devops):
    outcomes = at_once(*(lambda: open_ticket(project=project, content=ticket_content(), by=devops),) * 8)
    assert sorted(ticket.key for ticket in winners(outcomes)) == [f"PROJECT-00{number}" for number in range(1, 9)]


def test_one_decision_at_a_gate(make_ticket, devops, cpi, other_cpi):
    ticket = make_ticket("T-1", "?sign-off", "deployer")
    queue_task(ticket=ticket, by=devops)
    outcomes = at_once(
        lambda: decide_gate(ticket=ticket, by=cpi, approve=True),
        lambda: decide_gate(ticket=ticket, by=other_cpi, approve=False, comment="Rather not"),
    )
    assert len(winners(outcomes)) == 1
    assert [outcome.code for outcome in outcomes if isinstance(outcome, WrongState)] == ["not_at_gate"]


@pytest.mark.timeout(300)
def test_the_cursor_loses_nothing_under_sixteen_writers(project, devops, make_ticket):
    """A reader that goes on from its cursor while sixteen write sees every event once."""
    ticket = make_ticket("T-1")
    writers, each = 16, 25
    seen: list[int] = []
    finished = threading.Event()

    def write() -> None:
        for _ in range(each):
            comment_on_ticket(ticket=ticket, by=devops, content="hello")

    def read() -> None:
        cursor = 0
        while True:
            last_round = finished.is_set()
            page = get_events(user=devops, types=["ticket_commented"], after=cursor, limit=50)
            seen.extend(event.sequence for event in page.events)
            cursor = page.cursor
            if last_round and not page.events:
                return
            time.sleep(0.005)

    def read_and_close() -> None:
        try:
            read()
        finally:
            connection.close()

    reader = threading.Thread(target=read_and_close)
    reader.start()
    outcomes = at_once(*(write,) * writers, patience=200)
    finished.set()
    reader.join(60)
    assert outcomes == [None] * writers, outcomes
    written = (
        DomainEvent.objects.filter(type="ticket.commented").order_by("sequence").values_list("sequence", flat=True)
    )
    assert len(written) == writers * each
    assert seen == list(written)


WORKER_PROCESS = """
import sys, time, django
django.setup()
from accounts.models import User
from tickets.models import Worker
from tickets.services import claim_task, complete_stage
worker = Worker.objects.select_related("tenant", "project").get(worker_id=sys.argv[1])
task = claim_task(worker=worker, by=worker.owner, lease_seconds=int(sys.argv[2]))
print(task.pk, task.fence, flush=True)
if sys.argv[3] == "hold":
    time.sleep(600)
complete_stage(task=task, fence=task.fence, by=worker.owner, comment="I made it")
print("completed", flush=True)
"""


def worker_process(name: str, what: str, *, lease: int = 5, failpoint: str = "") -> subprocess.Popen[str]:
    """A worker in a process of its own, on the database of this test."""
    settings = connection.settings_dict
    url = f"postgres://{settings['USER']}:{settings['PASSWORD']}@{settings['HOST'].replace('/', '%2F')}:{settings['PORT']}/{settings['NAME']}"
    return subprocess.Popen(
        [sys.executable, "-c", WORKER_PROCESS, name, str(lease), what],
        env=os.environ | {"DATABASE_URL": url, "FAILPOINT": failpoint},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_worker_that_is_killed_loses_its_task_to_another(ticket, make_worker, devops, worker):
    make_worker("architect", "doomed")
    other = make_worker("architect", "heir")
    queue_task(ticket=ticket, by=devops)
    with worker_process("doomed", "hold") as process:
        pk, fence = map(int, process.stdout.readline().split())
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert claim_task(worker=other, by=worker) is None  # its lease still runs
    deadline = time.monotonic() + 30
    while (task := claim_task(worker=other, by=worker)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert (task.pk, task.fence, task.attempt) == (pk, fence + 1, 2)
    with pytest.raises(LeaseLost):
        complete_stage(task=task, fence=fence, by=worker)
    assert complete_stage(task=task, fence=task.fence, by=worker).ticket.progress == 1
    assert DomainEvent.objects.filter(type="ticket.stage_completed").count() == 1


@pytest.mark.parametrize("place", ["before_claim_commit:kill", "before_complete_commit:kill"])
def test_a_kill_in_the_middle_of_a_verb_leaves_nothing_of_it(place, ticket, make_worker, devops, worker):
    make_worker("architect", "doomed")
    queue_task(ticket=ticket, by=devops)
    with worker_process("doomed", "complete", lease=60, failpoint=place) as process:
        assert process.wait(timeout=60) == -signal.SIGKILL
    task = StageTask.objects.get()
    assert task.state == ("queued" if "claim" in place else "claimed")
    assert Ticket.objects.get().progress == 0
    assert not Comment.objects.filter(kind="stage").exists()
    assert not DomainEvent.objects.filter(type="ticket.stage_completed").exists()
    if "complete" in place:
        expire(task)
    again = claim_task(worker=Worker.objects.get(worker_id="doomed"), by=worker)
    assert complete_stage(task=again, fence=again.fence, by=worker).ticket.progress == 1


def test_reopening_against_closing_ends_in_one_of_both(ticket, devops):
    close_ticket(ticket=ticket, by=devops)
    outcomes = at_once(
        lambda: reopen_ticket(ticket=ticket, by=devops),
        lambda: close_ticket(ticket=ticket, by=devops, resolution="stopped"),
    )
    winners(outcomes)
    ticket.refresh_from_db()
    assert ticket.state in {"reopened", "stopped"}
    assert (ticket.closed_at is None) == (ticket.state == "reopened")
