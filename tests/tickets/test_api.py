"""The REST face: the seed's course over HTTP, strict input, versions, pages, scopes."""

from __future__ import annotations

import pytest

from accounts.scopes import SCOPES
from tests.api import assert_problem, call_as
from tests.tickets.conftest import ticket_content
from tickets.models import StageTask, Ticket
from tickets.services import add_dependency, open_ticket, queue_task

PLAN = ["architect", "developer", "tester"]
OPEN = {
    "ticket_id": "TICKET-001",
    "project_id": "test/project",
    "title": "Implement user authentication",
    "description": "Create secure user authentication system",
    "execution_plan": PLAN,
}


@pytest.fixture
def coordinator(devops):
    return call_as(devops)


@pytest.fixture
def hand(worker):
    return call_as(worker)


def test_the_course_of_the_seed_over_rest(coordinator, hand):
    opened = coordinator.post("/v1/tickets", OPEN)
    assert opened.status_code == 201, opened.content
    assert opened.headers["Location"] == "/v1/tickets/TICKET-001"
    ticket = opened.json()
    assert (ticket["last_completed_stage"], ticket["execution_plan"], ticket["status"]) == ("Planned", PLAN, "open")
    assert [step["done"] for step in ticket["plan"]] == [False] * 3
    for name in PLAN:
        made = hand.post("/v1/workers", {"worker_id": f"{name}-1", "worker_type": name})
        assert made.status_code == 201, made.content
    queued = coordinator.post("/v1/tickets/TICKET-001/queue", {"worker_type": "architect"})
    assert (queued.status_code, queued.json()["hint_worker_id"]) == (200, "architect-1")
    for name in PLAN:
        claim = hand.post("/v1/tasks/claim", {"worker_id": f"{name}-1"})
        assert claim.status_code == 200, claim.content
        task = claim.json()
        assert (task["ticket"]["ticket_id"], task["worker_type"], task["description"]) == (
            "TICKET-001", name, OPEN["description"],
        )  # fmt: skip
        path = f"/v1/tasks/{task['task_id']}"
        assert hand.post(f"{path}/heartbeat", {"fence": task["fence"], "lease_seconds": 600}).status_code == 200
        done = hand.post(f"{path}/complete", {"fence": task["fence"], "comment": "Done."})
        assert (done.status_code, done.json()["completed_stage"]) == (200, name)
        again = hand.post(f"{path}/complete", {"fence": task["fence"]})
        assert_problem(again, 409, "already_completed")
    assert done.json()["plan_completed"] is True
    assert hand.post("/v1/tasks/claim", {"worker_id": "tester-1"}).status_code == 204
    events = coordinator.get("/v1/ticket-events?processed=false").json()
    assert [event["event_type"] for event in events["events"]] == ["ticket_created"] + ["ticket_stage_completed"] * 3
    ids = [event["event_id"] for event in events["events"]]
    marked = coordinator.post("/v1/ticket-events/processed", {"event_ids": ids, "resolution": "seen"})
    assert marked.json() == {"processed": 4}
    assert coordinator.get("/v1/ticket-events?processed=false").json()["events"] == []
    closed = coordinator.post("/v1/tickets/ticket-001/close", {"status": "completed"})
    assert (closed.json()["state"], closed.json()["status"]) == ("completed", "closed")
    comments = coordinator.get("/v1/tickets/TICKET-001/comments").json()
    assert [comment["stage_number"] for comment in comments] == [0, 1, 2, 3, 999]


def test_a_version_that_is_stale_is_refused(coordinator, ticket):
    read = coordinator.get("/v1/tickets/TICKET-001")
    assert read.headers["ETag"] == '"1"'
    first = coordinator.call("PATCH", "/v1/tickets/TICKET-001", {"title": "New"}, If_Match='"1"')
    assert (first.status_code, first.headers["ETag"]) == (200, '"2"')
    late = coordinator.call("PATCH", "/v1/tickets/TICKET-001", {"title": "Newer"}, If_Match='"1"')
    assert assert_problem(late, 412, "version_conflict")["version"] == 2
    assert_problem(
        coordinator.call("PATCH", "/v1/tickets/TICKET-001", {"version": 1, "title": "x"}, If_Match='"2"'),
        400, "invalid", "version",
    )  # fmt: skip
    weak = coordinator.call("PATCH", "/v1/tickets/TICKET-001", {"title": "x"}, If_Match='W/"2"')
    assert_problem(weak, 400, "invalid", "If-Match")
    moved = coordinator.post("/v1/tickets/TICKET-001/move", {"verb": "start", "version": 1})
    assert_problem(moved, 412, "version_conflict")


def test_editing_changes_what_is_sent(coordinator, ticket, devops):
    changed = coordinator.call(
        "PATCH", "/v1/tickets/TICKET-001",
        {
            "priority": "urgent", "labels": ["security"], "assignees": [devops.email], "due_date": "2031-01-02",
            "execution_plan": ["architect", {"stage": "sign-off", "gate": True}],
        },
    )  # fmt: skip
    assert changed.status_code == 200, changed.content
    ticket_now = changed.json()
    assert (ticket_now["priority"], ticket_now["labels"], ticket_now["assignees"], ticket_now["due_date"]) == (
        "urgent", ["security"], [devops.email], "2031-01-02",
    )  # fmt: skip
    assert ticket_now["plan"][1] == {"stage": "sign-off", "gate": True, "done": False}
    assert ticket_now["title"] == ticket.title
    cleared = coordinator.call("PATCH", "/v1/tickets/TICKET-001", {"due_date": None, "assignees": []}).json()
    assert (cleared["due_date"], cleared["assignees"]) == (None, [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": 5}, "title"),
        ({"title": ""}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"title": None}, "title"),
        ({"description": "\x00"}, "description"),
        ({"execution_plan": "architect"}, "execution_plan"),
        ({"execution_plan": [1]}, "execution_plan"),
        ({"execution_plan": [{"stage": "a", "gate": "yes"}]}, "execution_plan"),
        ({"execution_plan": [{"stage": "a", "more": 1}]}, "execution_plan"),
        ({"execution_plan": ["architect", "Planned"]}, "execution_plan[1]"),
        ({"execution_plan": ["a"] * 101}, "execution_plan"),
        ({"ticket_id": "no spaces"}, "ticket_id"),
        ({"ticket_id": "../etc"}, "ticket_id"),
        ({"project_id": ""}, "project_id"),
        ({"priority": "now"}, "priority"),
        ({"type": "wish"}, "type"),
        ({"labels": "one"}, "labels"),
        ({"labels": ["a,b"]}, "labels"),
        ({"due_date": "tomorrow"}, "due_date"),
        ({"due_date": 5}, "due_date"),
        ({"assignees": ["stranger@example.com"]}, "assignees"),
        ({"parent": "NONE-1"}, "parent"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_input_is_strict_and_changes_nothing(changes, field, coordinator):
    assert_problem(coordinator.post("/v1/tickets", OPEN | changes), 400, "invalid", field)
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("left_out", ["project_id", "title"])
def test_what_is_needed_is_named(left_out, coordinator):
    body = {name: value for name, value in OPEN.items() if name != left_out}
    assert_problem(coordinator.post("/v1/tickets", body), 400, "invalid", left_out)


def test_lists_filter_search_and_page(coordinator, make_ticket, other_tenant, outsider):
    for number in range(5):
        make_ticket(f"T-{number}", title=f"Ticket {number}", labels=("even",) if number % 2 == 0 else ())
    from tickets.services import ensure_project

    foreign = ensure_project(key="their/project", by=outsider)
    open_ticket(project=foreign, content=ticket_content(), by=outsider, key="T-1")

    def keys(path: str) -> list[str]:
        answer = coordinator.get(path)
        assert answer.status_code == 200, answer.content
        return [row["ticket_id"] for row in answer.json()]

    assert keys("/v1/tickets") == ["T-4", "T-3", "T-2", "T-1", "T-0"]
    assert keys("/v1/tickets?label=even") == ["T-4", "T-2", "T-0"]
    assert keys("/v1/tickets?q=authentication&limit=1") == ["T-4"]
    assert keys("/v1/tickets?q=T-2") == ["T-2"]
    assert keys("/v1/tickets?state=open,in_review&status=open&stage=architect&project_id=test/project") == keys(
        "/v1/tickets"
    )
    assert keys("/v1/tickets?status=closed") == []
    assert keys("/v1/tickets?tenant=tenant-retail") == []
    seen, address = [], "/v1/tickets?limit=2"
    while address:
        page = coordinator.get(address)
        seen += [row["ticket_id"] for row in page.json()]
        link = page.headers.get("Link", "")
        address = link[1 : link.index(">")].removeprefix("http://testserver") if link else ""
    assert seen == ["T-4", "T-3", "T-2", "T-1", "T-0"]
    assert_problem(coordinator.get("/v1/tickets?colour=red"), 400, "invalid", "colour")
    assert_problem(coordinator.get("/v1/tickets?cursor=x"), 400, "invalid", "cursor")


def test_strangers_find_nothing(ticket, claimed, outsider):
    stranger = call_as(outsider)
    assert stranger.get("/v1/tickets").json() == []
    for path in (
        "/v1/tickets/TICKET-001",
        f"/v1/tasks/{claimed.pk}",
        "/v1/workers/architect-1",
        "/v1/projects/test/project",
    ):
        assert_problem(stranger.get(path), 404, "not_found")
    assert_problem(stranger.post("/v1/tickets/TICKET-001/close", {"status": "completed"}), 404, "not_found")
    assert_problem(stranger.post(f"/v1/tasks/{claimed.pk}/complete", {"fence": claimed.fence}), 404, "not_found")


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        ("tickets:read", "GET", "/v1/tickets", None),
        ("tickets:write", "POST", "/v1/tickets", OPEN),
        ("tickets:work", "POST", "/v1/tasks/claim", {"worker_id": "architect-1"}),
        ("tickets:decide", "POST", "/v1/tickets/TICKET-001/gate", {"approve": True}),
    ],
)
def test_tokens_need_the_scope(scope, method, path, body, ticket, cpi):
    without = call_as(cpi, [name for name in SCOPES if name != scope])
    assert_problem(without.call(method, path, body), 403, "insufficient_scope")


def test_a_token_without_the_right_to_decide_goes_round_no_gate(make_ticket, cpi, devops):
    ticket = make_ticket("T-1", "?sign-off")
    queue_task(ticket=ticket, by=devops)
    agent = call_as(cpi, ["tickets:read", "tickets:write", "tickets:work"])
    assert_problem(agent.post("/v1/tickets/T-1/close", {"status": "completed"}), 403, "gate_not_passed")
    assert_problem(agent.call("PATCH", "/v1/tickets/T-1", {"execution_plan": []}), 403, "gate_protected")
    assert_problem(agent.post("/v1/tickets/T-1/move", {"verb": "approve"}), 403, "insufficient_scope")
    ticket.refresh_from_db()
    assert ticket.at_gate
    assert call_as(cpi).post("/v1/tickets/T-1/gate", {"approve": True}).json()["state"] == "approved"


def test_why_it_cannot_be_claimed(coordinator, ticket, make_ticket, make_worker, devops):
    def codes(query: str = "") -> list[str]:
        return [
            reason["code"] for reason in coordinator.get(f"/v1/tickets/TICKET-001/claimable{query}").json()["reasons"]
        ]

    assert codes() == ["not_queued"]
    make_worker("architect")
    add_dependency(ticket=ticket, blocker=make_ticket("T-2"), by=devops)
    queue_task(ticket=ticket, by=devops)
    assert codes("?worker_type=tester") == ["blocked", "wrong_type"]
    assert coordinator.get("/v1/tickets/TICKET-001/claimable").json()["reasons"][0]["details"] == {
        "blocked_by": ["T-2"]
    }
    assert coordinator.call("DELETE", "/v1/tickets/TICKET-001/dependencies/T-2").status_code == 204
    assert coordinator.get("/v1/tickets/TICKET-001/claimable?worker_id=architect-1").json() == {
        "claimable": True, "reasons": [],
    }  # fmt: skip


def test_links_and_dependencies(coordinator, ticket, make_ticket):
    make_ticket("T-2")
    link = coordinator.post("/v1/tickets/TICKET-001/links", {"url": "https://jira.example.com/T-9", "kind": "issue"})
    assert link.status_code == 201, link.content
    assert_problem(
        coordinator.post("/v1/tickets/TICKET-001/links", {"url": "javascript:alert(1)"}), 400, "invalid", "url"
    )
    added = coordinator.post("/v1/tickets/TICKET-001/dependencies", {"blocker": "T-2"})
    assert (added.status_code, added.json()["blocked"]) == (201, True)
    circle = coordinator.post("/v1/tickets/T-2/dependencies", {"blocker": "TICKET-001"})
    assert assert_problem(circle, 409, "dependency_cycle")["cycle"] == ["TICKET-001", "T-2"]
    shown = coordinator.get("/v1/tickets/TICKET-001").json()
    assert shown["depends_on"] == [{"ticket_id": "T-2", "state": "open"}]
    assert [link["url"] for link in shown["links"]] == ["https://jira.example.com/T-9"]
    gone = coordinator.call("DELETE", f"/v1/tickets/TICKET-001/links/{link.json()['link_id']}")
    assert gone.status_code == 204
    assert_problem(coordinator.call("DELETE", "/v1/tickets/TICKET-001/links/1"), 404, "not_found")


def test_the_worker_verbs(hand, coordinator, claimed):
    path, fence = f"/v1/tasks/{claimed.pk}", {"fence": claimed.fence}
    assert hand.get("/v1/workers?status=active").json()[0]["worker_id"] == "architect-1"
    failed = hand.post(f"{path}/fail", fence | {"error": "no disk", "retry": False})
    assert (failed.json()["state"], failed.json()["last_error"]) == ("dead", "no disk")
    assert coordinator.get("/v1/queues").json()[0] | {"dead": 1} == coordinator.get("/v1/queues").json()[0]
    assert_problem(hand.post(f"{path}/retry"), 403, "person_required")
    assert coordinator.post(f"{path}/retry").json()["state"] == "queued"
    task = hand.post("/v1/tasks/claim", {"worker_id": "architect-1", "ticket_id": "TICKET-001"}).json()
    released = hand.post(f"{path}/release", {"fence": task["fence"], "reason": "lunch"})
    assert (released.json()["state"], released.json()["attempt"]) == ("queued", 0)
    hand.post("/v1/tasks/claim", {"worker_id": "architect-1"})
    stopped = hand.post("/v1/workers/architect-1/stop", {"reason": "done"})
    assert stopped.json()["status"] == "stopped"
    assert StageTask.objects.get().state == "queued"
    assert_problem(hand.post("/v1/tasks/claim", {"worker_id": "architect-1"}), 409, "worker_stopped")
    assert_problem(hand.post("/v1/workers/architect-1/heartbeat"), 409, "worker_stopped")
    assert [task["state"] for task in hand.get("/v1/tasks?worker_type=architect").json()] == ["queued"]


def test_the_other_verbs_on_a_ticket(coordinator, ticket, cpi, project):
    assert coordinator.post("/v1/tickets/TICKET-001/move", {"verb": "start"}).json()["state"] == "in_progress"
    assert_problem(coordinator.post("/v1/tickets/TICKET-001/move", {"verb": "fly"}), 400, "invalid", "verb")
    wrong = coordinator.post("/v1/tickets/TICKET-001/move", {"verb": "finish_review"})
    assert "request_review" in assert_problem(wrong, 400, "wrong_state")["possible"]
    done = coordinator.post("/v1/tickets/TICKET-001/stage", {"last_completed_stage": "architect"})
    assert done.json()["last_completed_stage"] == "architect"
    back = coordinator.post("/v1/tickets/TICKET-001/back", {"reason": "Once more"})
    assert (back.json()["progress"], back.json()["round"]) == (0, 2)
    said = coordinator.post("/v1/tickets/TICKET-001/comments", {"content": "Hello", "worker_id": "me"})
    assert (said.status_code, said.json()["author"]) == (201, "devops@example.com")
    decider = call_as(cpi)
    changed = decider.call("PATCH", "/v1/projects/test/project", {"settings": {"resolve_on_deploy": False}})
    assert changed.json()["settings"]["resolve_on_deploy"] is False
    assert_problem(
        decider.call("PATCH", "/v1/projects/test/project", {"settings": {"lease_seconds": "long"}}),
        400, "invalid", "settings.lease_seconds",
    )  # fmt: skip
    assert_problem(coordinator.call("PATCH", "/v1/projects/test/project", {"name": "x"}), 403, "not_authorized")
    assert [row["project_id"] for row in coordinator.get("/v1/projects").json()] == ["test/project"]


def test_a_repeated_post_with_its_key_opens_one_ticket(coordinator):
    body = {name: value for name, value in OPEN.items() if name != "ticket_id"}
    first = coordinator.post("/v1/tickets", body, Idempotency_Key="open-1")
    second = coordinator.post("/v1/tickets", body, Idempotency_Key="open-1")
    assert first.json()["ticket_id"] == second.json()["ticket_id"] == "PROJECT-001"
    assert Ticket.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_claim_waits_for_work_and_not_for_long(hand, ticket, make_worker, devops):
    import threading
    import time

    from django.db import connection

    make_worker("architect")

    def queue_soon() -> None:
        time.sleep(0.6)
        queue_task(ticket=ticket, by=devops)
        connection.close()

    thread = threading.Thread(target=queue_soon)
    thread.start()
    began = time.monotonic()
    claim = hand.post("/v1/tasks/claim", {"worker_id": "architect-1", "wait": 5})
    thread.join()
    assert claim.status_code == 200
    assert 0.5 < time.monotonic() - began < 4.5
    began = time.monotonic()
    assert hand.post("/v1/tasks/claim", {"worker_id": "architect-1", "wait": 1}).status_code == 204
    assert 0.9 < time.monotonic() - began < 3
    assert_problem(hand.post("/v1/tasks/claim", {"worker_id": "architect-1", "wait": 60}), 400, "invalid", "wait")
