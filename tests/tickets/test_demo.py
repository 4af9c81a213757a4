"""The demo's tickets and the example workers, against a served system."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command

from accounts.demo import seed_people
from accounts.services import issue_token
from core.story import Voice
from tests.events.live.conftest import run_server
from tests.tickets.conftest import ticket_content
from tickets import demo, story
from tickets.models import StageTask, Ticket, Worker
from tickets.services import open_ticket, queue_task


@pytest.fixture
def served(transactional_db):
    """The address of the system as it runs."""
    with run_server() as server:
        yield f"http://{server.host}"


def test_the_demo_has_tickets_in_each_part_of_life_and_stays_as_it_is(db):
    seed_people({})
    demo.seed_tickets()
    states = dict(Ticket.objects.values_list("key", "state"))
    assert states == {
        "PAY-100": "completed", "PAY-101": "approval_in_progress", "PAY-102": "in_progress", "PAY-103": "open",
        "PAY-104": "in_progress", "PAY-105": "approved", "PAY-106": "in_review", "PAY-107": "open",
    }  # fmt: skip
    assert set(StageTask.objects.open().values_list("state", flat=True)) == {
        "waiting_for_person", "claimed", "queued", "dead",
    }  # fmt: skip
    assert {worker.status for worker in Worker.objects.all()} == {"active", "idle"}
    comments = Ticket.objects.get(key="PAY-101").comments.count()
    demo.seed_tickets()
    assert Ticket.objects.count() == 8
    assert Ticket.objects.get(key="PAY-101").comments.count() == comments


@pytest.mark.timeout(180)
@pytest.mark.parametrize("face", ["rest", "mcp"])
def test_example_workers_work_a_plan_off(face, served, tenant, project, devops, worker):
    tickets = [open_ticket(project=project, content=ticket_content(), by=devops) for _ in range(3)]
    for ticket in tickets:
        queue_task(ticket=ticket, by=devops, even_without_worker=True)
    _, token = issue_token(user=worker, name="workers", scopes=["tickets:work", "tickets:read"])
    out = io.StringIO()
    call_command("worker_demo", url=served, over=face, token=token, pace=0.05, stages=9, stdout=out)
    assert list(Ticket.objects.values_list("progress", flat=True)) == [3, 3, 3]
    assert StageTask.objects.filter(state="done", attempt=1).count() == 9
    assert "9 stages were completed" in out.getvalue()
    assert set(Worker.objects.values_list("stop_reason", flat=True)) == {"The demo was stopped."}


@pytest.mark.timeout(180)
def test_the_story_comes_true(served):
    users = seed_people({})
    out = io.StringIO()
    story.follow_a_plan(Voice(out, colours=False), {"url": served, "users": users})
    told = out.getvalue()
    assert "its fence is too old" in told
    assert "passes the gate" in told
    assert Ticket.objects.get().state == "completed"


@pytest.mark.timeout(180)
def test_the_story_over_mcp_comes_true(served):
    out = io.StringIO()
    story.work_over_mcp(Voice(out, colours=False), {"url": served, "users": seed_people({})})
    assert "killed in the middle" in out.getvalue()
    [ticket] = Ticket.objects.all()
    assert (ticket.state, ticket.progress) == ("completed", 3)
    tasks = StageTask.objects.order_by("step")
    assert [(task.state, task.attempt) for task in tasks] == [("done", 2), ("done", 1), ("done", 1)]
