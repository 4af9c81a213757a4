"""The seed's ticket over MCP: a coordinator with the official client, two example workers per type, one killed at work."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

from django.conf import settings

from core.story import Surprise, Voice, insist
from tickets.mcp.clients import Tools, connect

PLAN = ["architect", "developer", "tester"]
LEASE_SECONDS = 5
POLL_SECONDS = 0.3


class Scene:
    """The running system, the coordinator's tools, and worker types of this run alone."""

    def __init__(self, voice: Voice, demo: dict[str, Any], tools: Tools) -> None:
        self.voice = voice
        self.tools = tools
        self.url = demo["url"]
        self.worker_token = demo["users"]["worker"]["token"]
        self.coordinator = demo["users"]["devops"].get("name") or demo["users"]["devops"]["email"]
        self.run = uuid.uuid4().hex[:6]
        self.key = f"TICKET-001-{self.run}"
        self.plan = [f"{name}-{self.run}" for name in PLAN]

    async def read(self) -> dict[str, Any]:
        return await self.tools("get_ticket", ticket_id=self.key)

    async def until(self, what: str, look: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
        """The first answer that is neither None nor empty; Surprise when there is none in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not (found := await look()):
                    await asyncio.sleep(POLL_SECONDS)
                return found
        raise Surprise(f"Waited {seconds:.0f} s in vain: {what}.")

    @contextlib.contextmanager
    def workers(self, *types: str, each: int, called: str, pace: float) -> Iterator[subprocess.Popen[bytes]]:
        """A process of example workers; killed at the end if it still runs."""
        command = [sys.executable, "manage.py", "worker_demo", *types, "--each", str(each), "--called", called]
        command += ["--pace", str(pace), "--lease", str(LEASE_SECONDS), "--url", self.url, "--token", "-"]
        process = subprocess.Popen(
            command, cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            assert process.stdin is not None
            process.stdin.write(f"{self.worker_token}\n".encode())
            process.stdin.close()
            yield process
        finally:
            process.kill()
            process.wait()


def work_over_mcp(voice: Voice, demo: dict[str, Any]) -> None:
    """Drive a ticket through architect, developer and tester; lose a worker on the way."""
    voice.chapter("The same over MCP: a coordinator, workers that compete, and kill -9")
    asyncio.run(_tell(voice, demo))


async def _tell(voice: Voice, demo: dict[str, Any]) -> None:
    async with connect(demo["url"], demo["users"]["devops"]["token"]) as tools:
        scene = Scene(voice, demo, tools)
        await open_it(scene)
        await lose_a_worker(scene)
        await compete(scene)
        await read_the_events(scene)


async def open_it(scene: Scene) -> None:
    tools = [tool.name for tool in (await scene.tools.client.list_tools()).tools]
    insist("create_ticket" in tools, f"The tools are {tools}")
    made = await scene.tools(
        "create_ticket", ticket_id=scene.key, project_id="finance/story", title="Implement user authentication",
        description="Create secure user authentication system", execution_plan=scene.plan,
    )  # fmt: skip
    insist(made["last_completed_stage"] == "Planned", f"A new ticket is {made['last_completed_stage']}")
    scene.voice.step(
        f"{scene.coordinator} finds {len(tools)} tools and opens {scene.key}", f"{scene.url}/tickets/{scene.key}/"
    )
    await scene.tools("queue_task", ticket_id=scene.key, worker_type=scene.plan[0], even_without_worker=True)
    scene.voice.step("The first stage is queued")


async def lose_a_worker(scene: Scene) -> None:
    """The only worker there claims the stage, and its process is killed in the middle of the work."""
    with scene.workers(scene.plan[0], each=1, called="doomed-", pace=600) as process:
        held = await scene.until("a worker to claim the stage", lambda: claimed(scene))
        process.kill()
        process.wait()
    scene.voice.step(f"{held} claims it and is killed in the middle (kill -9); its lease ends in {LEASE_SECONDS} s")


async def claimed(scene: Scene) -> str | None:
    tasks = (await scene.read())["tasks"]
    return tasks[0]["worker_id"] if tasks else None


async def compete(scene: Scene) -> None:
    """Two workers of each type, in one process; whoever is first has it."""
    with scene.workers(*scene.plan, each=2, called="", pace=0.2):
        for number, name in enumerate(scene.plan, 1):
            await scene.until(f"{name} to be completed", partial(reached, scene, number))
            comments = [each for each in (await scene.read())["comments"] if each["stage_number"] == number]
            insist(len(comments) == 1, f"{name} was done {len(comments)} times")
            scene.voice.step(f"{comments[0]['worker_id']} completes {name}; nobody else did")


async def reached(scene: Scene, progress: int) -> bool:
    return bool((await scene.read())["progress"] >= progress)


async def read_the_events(scene: Scene) -> None:
    events = (await scene.tools("get_events", ticket_id=scene.key, processed=False))["events"]
    names = [event["event_type"] for event in events]
    insist(names.count("ticket_stage_completed") == len(PLAN), f"The events tell {names}")
    insist("task_lease_expired" in names, "The lost lease left no event")
    ids = [event["event_id"] for event in events]
    await scene.tools("mark_events_processed", event_ids=ids, resolution="The story read them")
    scene.voice.step(f"{scene.coordinator} reads {len(ids)} events and marks them as dealt with")
    closed = await scene.tools("close_ticket", ticket_id=scene.key, status="Completed")
    insist(closed["state"] == "completed", f"The closed ticket is {closed['state']}")
    scene.voice.step(f"{scene.key} is completed", f"{scene.url}/tickets/{scene.key}/")
