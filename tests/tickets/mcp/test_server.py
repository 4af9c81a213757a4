"""The seed's course with the official client, its literal bodies, resources and prompts, over a real server."""

from __future__ import annotations

import asyncio

import pytest
from mcp.shared.exceptions import MCPError

from events.models import DomainEvent
from tests.tickets.conftest import expire
from tests.tickets.mcp.conftest import OPEN, PLAN, Refused, secret
from tickets.models import StageTask, Ticket

pytestmark = pytest.mark.slow

SIX = ["create_ticket", "get_ticket", "list_tickets", "add_ticket_comment", "update_ticket_stage", "close_ticket"]
OTHERS = [
    "get_events", "mark_events_processed", "queue_task", "register_worker", "list_workers", "stop_worker", "claim_task",
    "heartbeat", "complete_stage", "fail_task", "release_task", "explain_claim", "complete_ticket_stage", "assign_task",
    "list_events", "resolve_event", "spawn_worker", "get_worker_status",
]  # fmt: skip


async def work(coordinator, hand):
    """TICKET-001 from its opening to its close; two workers of each type compete, the first of them dies each time."""
    tools = {tool.name: tool for tool in (await coordinator.client.list_tools()).tools}
    assert set(SIX + OTHERS) <= set(tools)
    assert "decide_gate" not in tools
    assert all(tool.input_schema["additionalProperties"] is False for tool in tools.values())
    assert tools["get_ticket"].annotations.read_only_hint is True
    assert tools["close_ticket"].annotations.destructive_hint is True
    made = await coordinator("create_ticket", **OPEN)
    assert (made["last_completed_stage"], made["execution_plan"]) == ("Planned", PLAN)
    with pytest.raises(Refused) as refused:
        await coordinator("queue_task", ticket_id="TICKET-001", worker_type="architect")
    assert refused.value.error["message"] == "No active worker found for type 'architect'"
    for name in PLAN:
        for number in (1, 2):
            await hand("register_worker", worker_id=f"{name}-{number}", worker_type=name)
    assert (await coordinator("queue_task", ticket_id="TICKET-001"))["worker_type"] == "architect"
    for number, name in enumerate(PLAN, start=1):
        await one_stage(coordinator, hand, name, number)
    events = await coordinator("get_events", processed=False)
    assert [event["event_type"] for event in events["events"]].count("ticket_stage_completed") == 3
    ids = [event["event_id"] for event in events["events"]]
    assert await coordinator("mark_events_processed", event_ids=ids, resolution="Seen.") == {"processed": len(ids)}
    assert (await coordinator("get_events", processed=False))["events"] == []
    closed = await coordinator("close_ticket", ticket_id="TICKET-001", status="Completed")
    assert (closed["state"], closed["last_completed_stage"]) == ("completed", "tester")
    told = [comment["content"] for comment in (await hand("get_ticket", ticket_id="TICKET-001"))["comments"]]
    assert told[:4] == [OPEN["description"], "architect done", "developer done", "tester done"]


async def one_stage(coordinator, hand, name, number):
    claims = await asyncio.gather(*(hand("claim_task", worker_id=f"{name}-{n}") for n in (1, 2)))
    [first] = [claim["task"] for claim in claims if claim["task"]]
    assert (first["worker_type"], first["stage_number"], first["attempt"]) == (name, number, 1)
    why = await hand("explain_claim", ticket_id="TICKET-001", worker_type=name)
    assert [reason["code"] for reason in why["reasons"]] == ["claimed"]
    # The first one is never heard of again, and its lease runs out.
    await asyncio.to_thread(expire_in_thread, first["task_id"])
    again = (await hand("claim_task", worker_id=f"{name}-2"))["task"]
    assert (again["task_id"], again["fence"]) == (first["task_id"], first["fence"] + 1)
    with pytest.raises(Refused) as late:
        await hand("complete_stage", task_id=first["task_id"], fence=first["fence"], comment="too late")
    assert late.value.code == "lease_lost"
    await hand("heartbeat", task_id=again["task_id"], fence=again["fence"], lease_seconds=60)
    done = await hand("complete_stage", task_id=again["task_id"], fence=again["fence"], comment=f"{name} done")
    assert (done["completed_stage"], done["plan_completed"]) == (name, name == "tester")
    with pytest.raises(Refused) as twice:
        await hand("complete_stage", task_id=again["task_id"], fence=again["fence"])
    assert twice.value.code == "already_completed"


def expire_in_thread(task_id):
    from django.db import connection

    expire(StageTask.objects.get(pk=task_id))
    connection.close()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_drives_the_seeds_ticket_to_completion(mcp, devops, worker, mode):
    mcp.drive(work, secret(devops), secret(worker), mode=mode)
    facts = DomainEvent.objects.filter(subject_id="TICKET-001")
    assert set(facts.values_list("surface", flat=True)) == {"mcp"}


CREATE = """{
    "jsonrpc": "2.0",
    "id": 1,
    "method": "call_tool",
    "params": {
      "name": "create_ticket",
      "arguments": {
        "ticket_id": "TICKET-001",
        "project_id": "test/project",
        "title": "Implement user authentication",
        "description": "Create secure user authentication system",
        "execution_plan": ["architect", "developer", "tester"]
      }
    }
  }"""
QUEUE = """{
    "jsonrpc": "2.0",
    "id": 2,
    "method": "call_tool",
    "params": {
      "name": "queue_task",
      "arguments": {
        "ticket_id": "TICKET-001",
        "worker_type": "architect"
      }
    }
  }"""
EVENTS = """{
    "jsonrpc": "2.0",
    "id": 3,
    "method": "call_tool",
    "params": {
      "name": "get_events",
      "arguments": {
        "processed": false
      }
    }
  }"""


def test_the_seeds_bodies_as_they_stand(mcp, lender, make_worker):
    made = mcp.post(CREATE).json()
    assert made["id"] == 1
    assert made["result"]["content"][0]["text"] == (
        'Ticket created successfully: {"ticket_id": "TICKET-001", "project_id": "test/project", "title": "Implement user'
        ' authentication", "execution_plan": ["architect", "developer", "tester"], "status": "Planned"}'
    )
    nobody = mcp.post(QUEUE).json()["result"]
    assert nobody["isError"] is True
    assert "No active worker found for type 'architect'" in nobody["content"][0]["text"]
    make_worker("architect")
    queued = mcp.post(QUEUE).json()["result"]
    task = StageTask.objects.get()
    assert queued["content"][0]["text"] == (
        f'Task queued successfully: {{"task_id": {task.pk}, "ticket_id": "TICKET-001", "queue_name": "architect-queue",'
        ' "worker_id": "architect-1"}'
    )
    events = mcp.post(EVENTS).json()["result"]["structuredContent"]["events"]
    assert [(event["event_type"], event["ticket_id"], event["processed"]) for event in events] == [
        ("ticket_created", "TICKET-001", False)
    ]
    twice = mcp.post(CREATE).json()["result"]
    assert "ticket_exists" in twice["content"][0]["text"]
    assert Ticket.objects.get().author == lender
    listed = mcp.post({"jsonrpc": "2.0", "id": 4, "method": "list_tools"}).json()["result"]["tools"]
    assert {"create_ticket", "queue_task", "get_events"} <= {tool["name"] for tool in listed}
    assert "decide_gate" not in {tool["name"] for tool in listed}


def test_initialize_in_the_words_of_the_original_design(mcp, lender):
    params = {"protocol_version": "2024-11-05", "client_info": {"name": "old", "version": "1"}}
    answer = mcp.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).json()
    assert answer["result"]["protocolVersion"] == "2024-11-05"
    assert answer["result"]["serverInfo"]["name"] == "stagepass"


def test_resources_and_prompts(mcp, devops, outsider, ticket):
    async def story(mine, theirs):
        [listed] = (await mine.client.list_resources()).resources
        assert listed.title == ticket.title
        [read] = (await mine.client.read_resource(listed.uri)).contents
        assert '"last_completed_stage": "Planned"' in read.text
        [comments] = (await mine.client.read_resource("ticket://TICKET-001/comments")).contents
        assert "Create secure user" in comments.text
        assert (await theirs.client.list_resources()).resources == []
        for uri in (listed.uri, "ticket://NOPE-1", "file:///etc/passwd", "ticket://TICKET-001/plan"):
            with pytest.raises(MCPError) as missing:
                await theirs.client.read_resource(uri)
            assert missing.value.code == -32602
        names = [prompt.name for prompt in (await mine.client.list_prompts()).prompts]
        assert names == ["coordinator", "worker"]
        prompt = await mine.client.get_prompt("worker", {"worker_type": "architect"})
        assert "You are the architect worker architect-1." in prompt.messages[0].content.text
        with pytest.raises(MCPError):
            await mine.client.get_prompt("worker", {})

    mcp.drive(story, secret(devops), secret(outsider))


def test_later_names_mean_the_same(mcp, devops, worker, ticket):
    async def story(coordinator, hand):
        made = await hand("spawn_worker", worker_id="architect-1", worker_type="architect")
        assert (await hand("get_worker_status", worker_id="architect-1"))["status"] == made["status"] == "idle"
        queued = await coordinator("assign_task", ticket_id="TICKET-001", queue_name="architect-queue")
        assert queued["worker_type"] == "architect"
        [event] = (await coordinator("list_events", event_type="ticket_created"))["events"]
        assert await coordinator("resolve_event", event_id=event["event_id"], resolution_summary="Seen.") == {
            "processed": 1
        }
        moved = await coordinator("complete_ticket_stage", ticket_id="TICKET-001", stage="architect")
        assert moved["last_completed_stage"] == "architect"

    mcp.drive(story, secret(devops), secret(worker))


def test_a_claim_can_wait_for_work(mcp, devops, worker, ticket, make_worker):
    make_worker("architect")

    async def story(coordinator, hand):
        waiting = asyncio.create_task(hand("claim_task", worker_id="architect-1", wait=15))
        await asyncio.sleep(1)
        assert not waiting.done()
        await coordinator("queue_task", ticket_id="TICKET-001")
        assert (await waiting)["task"]["ticket_id"] == "TICKET-001"

    mcp.drive(story, secret(devops), secret(worker))
