"""The same verb over REST and over MCP: the same outcome, the same code, the same field."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import issue_token
from tickets.mcp import calls
from tickets.mcp.callers import identify
from tickets.mcp.registry import TOOLS
from tickets.mcp.server import make_server

make_server()
SCOPES = ["tickets:read", "tickets:write", "tickets:work"]
OPEN = {"ticket_id": "T-1", "project_id": "test/project", "title": "One", "execution_plan": ["architect", "tester"]}
WORKER = {"worker_id": "architect-1", "worker_type": "architect"}

# (who, tool, arguments, REST method, path, body)
Call = tuple[str, str, dict[str, Any], str, str, Any]
COURSE: list[Call] = [
    ("devops", "create_ticket", OPEN, "POST", "/v1/tickets", OPEN),
    ("devops", "create_ticket", OPEN, "POST", "/v1/tickets", OPEN),
    ("devops", "create_ticket", {**OPEN, "ticket_id": "a b"}, "POST", "/v1/tickets", {**OPEN, "ticket_id": "a b"}),
    ("viewer", "create_ticket", OPEN, "POST", "/v1/tickets", OPEN),
    ("outsider", "get_ticket", {"ticket_id": "T-1"}, "GET", "/v1/tickets/T-1", None),
    ("devops", "queue_task", {"ticket_id": "T-1"}, "POST", "/v1/tickets/T-1/queue", {}),
    ("devops", "queue_task", {"ticket_id": "T-1", "worker_type": "tester"}, "POST", "/v1/tickets/T-1/queue",
     {"worker_type": "tester"}),
    ("worker", "register_worker", WORKER, "POST", "/v1/workers", WORKER),
    ("devops", "register_worker", WORKER, "POST", "/v1/workers", WORKER),
    ("devops", "queue_task", {"ticket_id": "T-1"}, "POST", "/v1/tickets/T-1/queue", {}),
    ("worker", "complete_stage", {"task_id": 0, "fence": 1}, "POST", "/v1/tasks/{task}/complete", {"fence": 1}),
    ("worker", "claim_task", {"worker_id": "architect-1"}, "POST", "/v1/tasks/claim", {"worker_id": "architect-1"}),
    ("worker", "heartbeat", {"task_id": 0, "fence": 9}, "POST", "/v1/tasks/{task}/heartbeat", {"fence": 9}),
    ("worker", "heartbeat", {"task_id": 0, "fence": 1, "lease_seconds": 1}, "POST", "/v1/tasks/{task}/heartbeat",
     {"fence": 1, "lease_seconds": 1}),
    ("devops", "complete_stage", {"task_id": 0, "fence": 1}, "POST", "/v1/tasks/{task}/complete", {"fence": 1}),
    ("worker", "complete_stage", {"task_id": 0, "fence": 1}, "POST", "/v1/tasks/{task}/complete", {"fence": 1}),
    ("worker", "complete_stage", {"task_id": 0, "fence": 1}, "POST", "/v1/tasks/{task}/complete", {"fence": 1}),
    ("devops", "edit_ticket", {"ticket_id": "T-1", "title": "Two", "version": 1}, "PATCH", "/v1/tickets/T-1",
     {"title": "Two", "version": 1}),
    ("devops", "edit_ticket", {"ticket_id": "T-1", "title": "Two"}, "PATCH", "/v1/tickets/T-1", {"title": "Two"}),
    ("devops", "move_ticket", {"ticket_id": "T-1", "verb": "finish_review"}, "POST", "/v1/tickets/T-1/move",
     {"verb": "finish_review"}),
    ("devops", "move_ticket", {"ticket_id": "T-1", "verb": "approve"}, "POST", "/v1/tickets/T-1/move", {"verb": "approve"}),
    ("devops", "decide_gate", {"ticket_id": "T-1", "approve": True}, "POST", "/v1/tickets/T-1/gate", {"approve": True}),
    ("devops", "go_back_a_stage", {"ticket_id": "T-1", "reason": ""}, "POST", "/v1/tickets/T-1/back", {"reason": ""}),
    ("devops", "go_back_a_stage", {"ticket_id": "T-1", "reason": "Once more"}, "POST", "/v1/tickets/T-1/back",
     {"reason": "Once more"}),
    ("devops", "add_dependency", {"ticket_id": "T-1", "blocker": "T-1"}, "POST", "/v1/tickets/T-1/dependencies",
     {"blocker": "T-1"}),
    ("devops", "add_ticket_comment", {"ticket_id": "T-1", "content": "Hi", "oops": 1}, "POST", "/v1/tickets/T-1/comments",
     {"content": "Hi", "oops": 1}),
    ("devops", "get_events", {"event_type": ["nope"]}, "GET", "/v1/ticket-events?event_type=nope", None),
    ("viewer", "close_ticket", {"ticket_id": "T-1", "status": "completed"}, "POST", "/v1/tickets/T-1/close",
     {"status": "completed"}),
    ("devops", "close_ticket", {"ticket_id": "T-1", "status": "completed"}, "POST", "/v1/tickets/T-1/close",
     {"status": "completed"}),
    ("devops", "close_ticket", {"ticket_id": "T-1", "status": "stopped"}, "POST", "/v1/tickets/T-1/close",
     {"status": "stopped"}),
]  # fmt: skip
# The rest of the verbs on work: given back, failed, sent on by a coordinator, stopped; each also where it is not possible.
CLAIM: Call = (
    "worker", "claim_task", {"worker_id": "architect-1"}, "POST", "/v1/tasks/claim", {"worker_id": "architect-1"}
)  # fmt: skip


def on_task(who: str, tool: str, verb: str, **sent: Any) -> Call:
    return who, tool, {"task_id": 0, **sent}, "POST", f"/v1/tasks/{{task}}/{verb}", sent


def on_worker(who: str, tool: str, verb: str = "", **sent: Any) -> Call:
    method = "POST" if verb else "GET"
    return (
        who,
        tool,
        {"worker_id": "architect-1", **sent},
        method,
        f"/v1/workers/architect-1{verb}",
        sent if verb else None,
    )


def on_ticket(who: str, tool: str, verb: str, **sent: Any) -> Call:
    return who, tool, {"ticket_id": "T-1", **sent}, "POST", f"/v1/tickets/T-1/{verb}", sent


SHORT = {**WORKER, "silence_seconds": 1}
WORK: list[Call] = [
    ("devops", "create_ticket", OPEN, "POST", "/v1/tickets", OPEN),
    ("worker", "register_worker", WORKER, "POST", "/v1/workers", WORKER),
    ("viewer", "register_worker", WORKER, "POST", "/v1/workers", WORKER),
    ("worker", "register_worker", SHORT, "POST", "/v1/workers", SHORT),
    on_ticket("devops", "queue_task", "queue"),
    ("devops", "explain_claim", {"ticket_id": "T-1", "worker_type": "tester"}, "GET",
     "/v1/tickets/T-1/claimable?worker_type=tester", None),
    ("outsider", "explain_claim", {"ticket_id": "T-1"}, "GET", "/v1/tickets/T-1/claimable", None),
    ("devops", *CLAIM[1:]),
    ("worker", "claim_task", {"worker_id": "nobody"}, "POST", "/v1/tasks/claim", {"worker_id": "nobody"}),
    ("worker", "claim_task", {"worker_id": "architect-1", "lease_seconds": 1}, "POST", "/v1/tasks/claim",
     {"worker_id": "architect-1", "lease_seconds": 1}),
    on_task("worker", "release_task", "release", fence=1),
    CLAIM,
    on_task("devops", "release_task", "release", fence=1),
    on_task("worker", "release_task", "release", fence=1),
    on_task("worker", "release_task", "release", fence=1),
    on_task("worker", "fail_task", "fail", fence=1, error="No"),
    CLAIM,
    on_task("worker", "fail_task", "fail", fence=2, error=""),
    on_task("worker", "fail_task", "fail", fence=2, error="No", retry=False),
    on_task("worker", "fail_task", "fail", fence=3, error="No", retry=False),
    on_task("worker", "retry_task", "retry"),
    on_ticket("devops", "queue_task", "queue"),
    on_task("devops", "retry_task", "retry"),
    on_task("devops", "retry_task", "retry"),
    on_worker("worker", "heartbeat_worker", "/heartbeat"),
    on_worker("devops", "heartbeat_worker", "/heartbeat"),
    on_worker("outsider", "get_worker"),
    on_worker("devops", "get_worker"),
    on_worker("viewer", "stop_worker", "/stop"),
    on_worker("devops", "stop_worker", "/stop", reason="Enough"),
    CLAIM,
    ("devops", "update_ticket_stage", {"ticket_id": "T-1", "new_stage": "nowhere"}, "POST", "/v1/tickets/T-1/stage",
     {"last_completed_stage": "nowhere"}),
    ("devops", "update_ticket_stage", {"ticket_id": "T-1", "new_stage": "architect"}, "POST", "/v1/tickets/T-1/stage",
     {"last_completed_stage": "architect"}),
    on_ticket("devops", "link_ticket", "links", url="ftp://x"),
    on_ticket("devops", "link_ticket", "links", url="https://ci.example.com/1"),
    ("devops", "mark_events_processed", {"event_ids": [999_999_999]}, "POST", "/v1/ticket-events/processed",
     {"event_ids": [999_999_999]}),
]  # fmt: skip
# What two tickets of the same course may differ in.
OF_ITS_OWN = {"created_at", "updated_at", "closed_at", "task_id", "next_task_id", "comment_id", "tasks", "next_at", "lease_until",
              "claimed_at", "finished_at", "registered_at", "last_seen_at", "lease_seconds_left", "comments",
    "stopped_at", "link_id", "hint_worker_id",
}  # fmt: skip


def outcome(document: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in document.items() if name not in OF_ITS_OWN and name not in {"ticket", "task"}
    }


def over_rest(secrets: dict[str, str], call: Call, task: int) -> Any:
    who, _, _, method, path, sent = call
    answer = Client().generic(
        method, path.format(task=task), "" if sent is None else json.dumps(sent), "application/json",
        headers={"Authorization": f"Bearer {secrets[who]}"},
    )  # fmt: skip
    told = answer.json() if answer.content else {"task": None}
    return (told["code"], told.get("field")) if answer.status_code >= 400 else outcome(told)


def over_mcp(secrets: dict[str, str], call: Call, task: int) -> Any:
    who, name, arguments, *_ = call
    if "task_id" in arguments:
        arguments = {**arguments, "task_id": task}
    caller = identify(secrets[who])
    tool = TOOLS[name]
    try:
        caller.require(tool.scope)
        document = calls._run(tool, caller, calls._checked(tool, arguments), "parity")
    except calls.DomainError as error:
        told = calls.problem(error)
        return told["code"], told.get("field")
    return outcome((document["task"] or document) if name == "claim_task" else document)


def course(
    table: list[Call], through: Callable[[dict[str, str], Call, int], Any], people: dict[str, User]
) -> list[Any]:
    from tickets.models import StageTask

    secrets = {name: issue_token(user=user, name="parity", scopes=SCOPES)[1] for name, user in people.items()}
    outcomes = []
    for call in table:
        first = StageTask.objects.order_by("pk").first()
        outcomes.append(through(secrets, call, first.pk if first else 1))
    return outcomes


EXPECTED = {
    "ticket": {
        "ticket_exists", "not_found", "no_active_worker", "not_next_stage", "version_conflict", "invalid",
        "already_completed", "not_authorized", "insufficient_scope",
    },
    "work": {"not_authorized", "not_found", "not_your_worker", "invalid", "person_required", "not_dead", "worker_stopped"},
}  # fmt: skip


@pytest.mark.parametrize(("name", "table"), [("ticket", COURSE), ("work", WORK)])
def test_every_step_of_a_course_ends_alike_on_both_faces(name, table, devops, viewer, outsider, worker):
    from django.db import transaction

    people = {"devops": devops, "viewer": viewer, "outsider": outsider, "worker": worker}
    found = []
    for through in (over_rest, over_mcp):
        with transaction.atomic():
            found.append(course(table, through, people))
            transaction.set_rollback(True)
    differing = [(call[:3], rest, mcp) for call, rest, mcp in zip(table, *found, strict=True) if rest != mcp]
    assert not differing, differing
    refusals = {each[0] for each in found[0] if isinstance(each, tuple)}
    assert EXPECTED[name] <= refusals, EXPECTED[name] - refusals
    assert sum(isinstance(each, dict) for each in found[0]) >= 8
