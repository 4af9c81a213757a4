"""Tickets in the running system: the seed's own calls, and workers over MCP while they and the server are killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.stack.running import ROOT, newcomer
from tests.workflows.system import System
from tickets.mcp.clients import ToolRefused, Tools, connect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# As they stand in the original design, to the character.
SEED = (Path(__file__).parent / "seed_calls.sh").read_text()
PLAN = ["architect", "developer", "tester"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("tickets"))
    yield system
    system.up.stop()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the seed calls curl")
def test_the_seeds_three_calls_word_for_word(system: System) -> None:
    """Only the port is ours."""
    commands = SEED.replace("http://localhost:3000", system.demo["url"])
    done = subprocess.run(["bash", "-c", commands], capture_output=True, text=True, check=True, env=newcomer())
    answers = list(documents(done.stdout))
    created, queued, events = (answer["result"] for answer in answers)
    assert [answer["id"] for answer in answers] == [1, 2, 3]
    assert created["content"][0]["text"].startswith("Ticket created successfully: ")
    assert created["structuredContent"]["execution_plan"] == PLAN
    assert created["structuredContent"]["last_completed_stage"] == "Planned"
    task = re.fullmatch(r"Task queued successfully: (\{.*\})", queued["content"][0]["text"])
    assert task is not None, queued
    assert json.loads(task[1]).keys() == {"task_id", "ticket_id", "queue_name", "worker_id"}
    assert json.loads(task[1])["queue_name"] == "architect-queue"
    told = events["structuredContent"]["events"]
    assert ("ticket_created", "TICKET-001") in {(event["event_type"], event["ticket_id"]) for event in told}
    assert not any(event["processed"] for event in told)


def test_two_workers_of_each_type_compete_and_one_is_killed_in_the_middle(system: System) -> None:
    """The example workers in processes of their own; each of these is lost once, holding a stage."""

    async def story(tools: Tools) -> dict[str, Any]:
        plan = [f"{name}-k" for name in PLAN]
        await tools(
            "create_ticket", ticket_id="KILL-1", project_id="test/kill", title="Outlives workers", description="",
            execution_plan=plan,
        )  # fmt: skip
        await tools("queue_task", ticket_id="KILL-1", even_without_worker=True)
        for number, name in enumerate(plan, 1):
            with workers(system, name, each=1, called="doomed-", pace=600) as doomed:
                await until(lambda number=number: holder(tools, number))
                os.kill(doomed.pid, signal.SIGKILL)
            with workers(system, name, each=2, called="", pace=0.1):
                await until(lambda number=number: reached(tools, "KILL-1", number))
        events = await tools("get_events", ticket_id="KILL-1", event_type=["all"])
        ticket = await tools("get_ticket", ticket_id="KILL-1")
        return {"events": [event["event_type"] for event in events["events"]], "ticket": ticket}

    ended = drive(system, "devops", story)
    assert ended["events"].count("ticket_stage_completed") == 3
    assert ended["events"].count("task_lease_expired") == 3
    assert ended["events"].count("task_claimed") == 6
    said = [comment["worker_id"] for comment in ended["ticket"]["comments"] if comment["kind"] == "stage"]
    assert len(said) == 3
    assert not any("doomed" in name for name in said)


PLACES = ["before_claim_commit", "after_claim_commit", "before_complete_commit", "after_complete_commit"]


@pytest.mark.parametrize("place", PLACES)
def test_the_server_is_killed_at(place: str, system: System) -> None:
    """A careful worker says again what got no answer; the stage is done exactly once all the same."""
    key, kind = f"CRASH-{PLACES.index(place)}", f"crash-{PLACES.index(place)}"

    async def story(hand: Tools) -> None:
        async with connect(system.demo["url"], system.demo["users"]["devops"]["token"]) as coordinator:
            await coordinator(
                "create_ticket", ticket_id=key, project_id="test/kill", title="Outlives servers", description="",
                execution_plan=[kind, kind],
            )  # fmt: skip
            await coordinator("queue_task", ticket_id=key, even_without_worker=True)
        await hand("register_worker", worker_id=kind, worker_type=kind)
        for _ in range(2):
            claim = {"worker_id": kind, "lease_seconds": 5}
            task = await careful(system, "worker", "claim_task", lambda answer: answer["task"], **claim)
            done = {"task_id": task["task"]["task_id"], "fence": task["task"]["fence"], "comment": "Once"}
            await careful(system, "worker", "complete_stage", None, **done)

    armed = system.arm(place)
    drive(system, "worker", story)
    system.until(lambda: not armed.exists(), timeout=30)
    tasks = system.sql(
        "SELECT t.state FROM tickets_stagetask t JOIN tickets_ticket k ON k.id = t.ticket_id WHERE k.key = %s", key
    )
    assert tasks == [("done",), ("done",)]
    [(comments,)] = system.sql(
        "SELECT count(*) FROM tickets_comment c JOIN tickets_ticket k ON k.id = c.ticket_id"
        " WHERE k.key = %s AND c.kind = 'stage'", key,
    )  # fmt: skip
    [(facts,)] = system.sql(
        "SELECT count(*) FROM events_domainevent WHERE type = 'ticket.stage_completed' AND subject_id = %s", key
    )
    assert (comments, facts) == (2, 2)


def test_example_workers_wait_for_a_server_that_was_killed(system: System) -> None:
    """The web process dies again and again under them; nothing is lost and nothing done twice."""

    async def story(tools: Tools) -> None:
        for number in range(3):
            await tools(
                "create_ticket", ticket_id=f"STORM-{number}", project_id="test/kill", title="Outlives storms",
                description="", execution_plan=["storm", "storm", "storm"],
            )  # fmt: skip
            await tools("queue_task", ticket_id=f"STORM-{number}", even_without_worker=True)

    drive(system, "devops", story)
    done = "SELECT count(*) FROM tickets_stagetask WHERE worker_type = 'storm' AND state = 'done'"
    with workers(system, "storm", each=2, called="", pace=0.3):
        for wanted in (2, 5):
            system.until(lambda wanted=wanted: system.sql(done)[0][0] >= wanted)
            system.kill("web")
        system.until(lambda: system.sql(done)[0][0] == 9)
    progress = system.sql("SELECT progress FROM tickets_ticket WHERE key LIKE 'STORM-%%'")
    assert progress == [(3,), (3,), (3,)]
    facts = (
        "SELECT count(*) FROM events_domainevent WHERE type = 'ticket.stage_completed' AND subject_id LIKE 'STORM-%%'"
    )
    assert system.sql(facts) == [(9,)]


def test_the_story_is_told_to_its_end(system: System) -> None:
    told = subprocess.run(
        [sys.executable, "manage.py", "story"], cwd=ROOT, env=newcomer() | {"STAGEPASS_STATE": str(system.up.state)},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    assert "killed in the middle (kill -9)" in told.stdout


# How these stories are told


def drive(system: System, who: str, story: Callable[[Tools], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with connect(system.demo["url"], system.demo["users"][who]["token"]) as tools:
            return await story(tools)

    return asyncio.run(run())


async def careful(
    system: System, who: str, tool: str, enough: Callable[[dict[str, Any]], Any] | None, **arguments: Any
) -> dict[str, Any]:
    """Call until there is an answer (and enough of one), over connections that may be cut."""
    end = time.monotonic() + 90
    while True:
        try:
            async with connect(system.demo["url"], system.demo["users"][who]["token"], timeout=10) as tools:
                answer = await tools(tool, **arguments)
                if enough is None or enough(answer):
                    return answer
        except ToolRefused as refusal:
            if refusal.code == "already_completed":
                return {}
            raise
        except (httpx2.HTTPError, ExceptionGroup, OSError):
            pass
        assert time.monotonic() < end, f"no answer to {tool}"
        await asyncio.sleep(0.3)


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := await look()):
            await asyncio.sleep(0.2)
        return found


async def reached(tools: Tools, key: str, progress: int) -> bool:
    return bool((await tools("get_ticket", ticket_id=key))["progress"] >= progress)


async def holder(tools: Tools, number: int) -> str | None:
    tasks = (await tools("get_ticket", ticket_id="KILL-1"))["tasks"]
    return tasks[0]["worker_id"] if tasks and tasks[0]["stage_number"] == number else None


@contextlib.contextmanager
def workers(system: System, *types: str, each: int, called: str, pace: float) -> Iterator[subprocess.Popen[bytes]]:
    """A process of example workers against the running system."""
    command = [sys.executable, "manage.py", "worker_demo", *types, "--each", str(each), "--called", called]
    command += ["--pace", str(pace), "--lease", "5"]
    environment = newcomer() | {"STAGEPASS_STATE": str(system.up.state)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def documents(text: str) -> Iterator[Any]:
    """The JSON documents in a text, one after the other."""
    decoder = json.JSONDecoder()
    while text := text.strip():
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:]
