"""Example workers: each works the stages of its type until stopped, over MCP with the official client, or over REST."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import httpx2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tickets.mcp.clients import ToolRefused, connect

WAIT_SECONDS = 2
RETRY_SECONDS = 1.0


class Face(Protocol):
    """Either face: the names of the tools, and what they answer."""

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]: ...


class Rest:
    """The worker's verbs over REST, called like the tools."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        answer = await self.http.post(self._path(tool, arguments), json=arguments)
        if answer.status_code == 204:
            return {"task": None}
        if answer.status_code >= 500:
            answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        if answer.is_error:
            raise ToolRefused({"code": body["code"], "message": body["detail"]})
        return {"task": body} if tool == "claim_task" else body

    @staticmethod
    def _path(tool: str, arguments: dict[str, Any]) -> str:
        if tool == "register_worker":
            return "/v1/workers"
        if tool == "claim_task":
            return "/v1/tasks/claim"
        if tool == "stop_worker":
            return f"/v1/workers/{arguments.pop('worker_id')}/stop"
        verb = {"heartbeat": "heartbeat", "complete_stage": "complete", "release_task": "release"}[tool]
        return f"/v1/tasks/{arguments.pop('task_id')}/{verb}"


@asynccontextmanager
async def over_rest(url: str, token: str) -> AsyncIterator[Rest]:
    async with httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        yield Rest(http)


FACES: dict[str, Callable[[str, str], contextlib.AbstractAsyncContextManager[Face]]] = {
    "mcp": connect,
    "rest": over_rest,
}


class ExampleWorker:
    """Claims stages of its type, takes its time, says something and completes them."""

    def __init__(self, command: Command, worker_type: str, number: int) -> None:
        self.command = command
        self.name = f"{worker_type}-{command.called}{number}"
        self.worker_type = worker_type
        # Work that is done, as long as nobody knows whether the server heard of it.
        self.untold: dict[str, Any] | None = None

    async def run(self) -> None:
        """Work until the demo stops; a server that is away is waited for."""
        while not self.command.stopping.is_set():
            try:
                async with self.command.connect() as call:
                    await self._register_and_work(call)
                    with contextlib.suppress(ToolRefused):
                        await call("stop_worker", worker_id=self.name, reason="The demo was stopped.")
            except Exception as error:  # whatever a broken connection becomes on its way through the client
                self.say(f"{reason_of(error)}; trying again")
                await self.command.pause(RETRY_SECONDS)

    async def _register_and_work(self, call: Face) -> None:
        await call("register_worker", worker_id=self.name, worker_type=self.worker_type)
        if self.untold is not None:
            await self._complete(call, self.untold)
        while not self.command.stopping.is_set():
            claim = await call("claim_task", worker_id=self.name, lease_seconds=self.command.lease, wait=WAIT_SECONDS)
            if claim["task"] is not None:
                await self._work(call, claim["task"])
            else:
                await self.command.idle(self)

    async def _work(self, call: Face, task: dict[str, Any]) -> None:
        held = {"task_id": task["task_id"], "fence": task["fence"]}
        self.say(
            f"claimed {self.worker_type} of {task['ticket_id']} (attempt {task['attempt']}, fence {task['fence']})"
        )
        if await self.command.pause(random.uniform(0.5, 1.5) * self.command.pace):
            with contextlib.suppress(ToolRefused):
                await call("release_task", **held, reason="The demo was stopped.")
            return
        with contextlib.suppress(ToolRefused):  # completing tells whether it is still ours
            await call("heartbeat", **held, lease_seconds=self.command.lease)
        comment = f"**{self.name}**: {self.worker_type} done for *{task['ticket']['title']}*."
        self.untold = {**held, "comment": comment}
        await self._complete(call, self.untold)

    async def _complete(self, call: Face, work: dict[str, Any]) -> None:
        """Say that it is done. After a lost answer it is said again: the fence makes sure that it counts once."""
        try:
            done = await call("complete_stage", **work)
        except ToolRefused as refusal:
            self.untold = None
            self.say(f"task {work['task_id']} is refused: {refusal.message}")
            self.command.count(refusal.code == "already_completed")
            return
        self.untold = None
        following = done["current_stage"] or "nobody: the plan is done"
        self.say(f"completed {self.worker_type} of {done['ticket_id']}: next is {following}")
        self.command.count(True)

    def say(self, text: str) -> None:
        self.command.say(f"{self.name}: {text}")


def reason_of(error: BaseException) -> str:
    """What lies at the bottom of a group of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


class Command(BaseCommand):
    help = "Run example workers of each type against the running system (script/up), until Ctrl-C."
    requires_system_checks = []
    stopping: asyncio.Event

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("types", nargs="*", default=["architect", "developer", "tester"], help="Worker types.")
        parser.add_argument("--over", choices=sorted(FACES), default="mcp", help="Which face they call.")
        parser.add_argument("--each", type=int, default=2, help="Workers of each type.")
        parser.add_argument("--called", default="", help="What to put before a worker's number in its name.")
        parser.add_argument("--pace", type=float, default=3.0, help="Seconds that a stage takes, about.")
        parser.add_argument("--lease", type=int, default=60, help="Seconds that a claim holds.")
        parser.add_argument("--stages", type=int, default=0, help="End after so many completed stages (0: never).")
        parser.add_argument("--once", action="store_true", help="End when every worker found nothing to do.")
        parser.add_argument("--url", default="", help="Of the system; default: as var/demo.json says.")
        parser.add_argument(
            "--token",
            default="",
            help="Of the workers' account, - to read it from standard input; default: the demo's.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.url, self.token = self.place(options["url"], options["token"])
        self.face = FACES[options["over"]]
        self.pace, self.lease, self.called = options["pace"], options["lease"], options["called"]
        self.wanted, self.once = options["stages"], options["once"]
        self.done = 0
        self.found_nothing: set[str] = set()
        self.workers = [
            ExampleWorker(self, worker_type, number)
            for worker_type in options["types"]
            for number in range(1, options["each"] + 1)
        ]
        asyncio.run(self.work())
        self.say(f"{self.done} stages were completed.")

    async def work(self) -> None:
        self.stopping = asyncio.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.stopping.set)
        await asyncio.gather(*(worker.run() for worker in self.workers))

    def connect(self) -> contextlib.AbstractAsyncContextManager[Face]:
        return self.face(self.url, self.token)

    async def pause(self, seconds: float) -> bool:
        """Wait so long, or until the demo stops; whether it does."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)
        return self.stopping.is_set()

    def place(self, url: str, token: str) -> tuple[str, str]:
        if token == "-":
            token = sys.stdin.readline().strip()
        if url and token:
            return url, token
        path = settings.STATE_DIR / "demo.json"
        try:
            demo = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(
                f"{path} cannot be read ({error}). Start the demo, or give --url and --token."
            ) from error
        return url or demo["url"], token or demo["users"]["worker"]["token"]

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def count(self, completed: bool) -> None:
        """One stage more, or none; the last one ends the demo."""
        self.found_nothing.clear()
        self.done += completed
        if self.wanted and self.done >= self.wanted:
            self.stopping.set()

    async def idle(self, worker: ExampleWorker) -> None:
        """This worker found nothing; with --once the demo ends when none did since anything was completed."""
        self.found_nothing.add(worker.name)
        if self.once and len(self.found_nothing) == len(self.workers):
            self.stopping.set()
        await self.pause(0.2)
