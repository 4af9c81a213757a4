"""Example workers: one thread per worker, driving tickets over the public REST interface until stopped."""

from __future__ import annotations

import argparse
import json
import random
import signal
import threading
from typing import Any

import httpx2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

LEASE_SECONDS = 60


class ExampleWorker(threading.Thread):
    """Claims stages of its type, takes its time, says something and completes them."""

    def __init__(self, command: Command, url: str, token: str, worker_type: str, number: int) -> None:
        super().__init__(daemon=True)
        self.command = command
        self.name = f"{worker_type}-{number}"
        self.worker_type = worker_type
        self.http = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def run(self) -> None:
        while not self.command.stopping.is_set():
            try:
                self.register_and_work()
            except httpx2.HTTPError as error:
                self.say(f"{error}; trying again")
                self.command.stopping.wait(2)
        self.http.post(f"/v1/workers/{self.name}/stop", json={"reason": "The demo was stopped."})
        self.http.close()

    def register_and_work(self) -> None:
        made = self.http.post("/v1/workers", json={"worker_id": self.name, "worker_type": self.worker_type})
        made.raise_for_status()
        while not self.command.stopping.is_set():
            answer = self.http.post(
                "/v1/tasks/claim", json={"worker_id": self.name, "lease_seconds": LEASE_SECONDS, "wait": 2}
            )
            if answer.status_code == 200:
                self.work(answer.json())
                continue
            if answer.status_code != 204:
                answer.raise_for_status()
            self.command.idle(self)

    def work(self, task: dict[str, Any]) -> None:
        path, fence = f"/v1/tasks/{task['task_id']}", task["fence"]
        self.say(f"claimed {self.worker_type} of {task['ticket_id']} (attempt {task['attempt']}, fence {fence})")
        if self.command.stopping.wait(random.uniform(0.5, 1.5) * self.command.pace):
            self.http.post(f"{path}/release", json={"fence": fence, "reason": "The demo was stopped."})
            return
        self.http.post(f"{path}/heartbeat", json={"fence": fence, "lease_seconds": LEASE_SECONDS})
        comment = f"**{self.name}**: {self.worker_type} done for *{task['ticket']['title']}*."
        done = self.http.post(f"{path}/complete", json={"fence": fence, "comment": comment})
        body = done.json()
        told = body["detail"] if done.is_error else f"next is {body['current_stage'] or 'nobody: the plan is done'}"
        self.say(f"completed {self.worker_type} of {task['ticket_id']}: {told}")
        self.command.count(done.is_success)

    def say(self, text: str) -> None:
        self.command.say(f"{self.name}: {text}")


class Command(BaseCommand):
    help = "Run example workers of each type against the running system (script/up), until Ctrl-C."
    requires_system_checks = []
    stopping: threading.Event

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("types", nargs="*", default=["architect", "developer", "tester"], help="Worker types.")
        parser.add_argument("--each", type=int, default=2, help="Workers of each type.")
        parser.add_argument("--pace", type=float, default=3.0, help="Seconds that a stage takes, about.")
        parser.add_argument("--stages", type=int, default=0, help="End after so many completed stages (0: never).")
        parser.add_argument("--once", action="store_true", help="End when every worker found nothing to do.")
        parser.add_argument("--url", default="", help="Of the system; default: as var/demo.json says.")
        parser.add_argument("--token", default="", help="Of the workers' account; default: the demo's worker.")

    def handle(self, *args: Any, **options: Any) -> None:
        url, token = self.place(options["url"], options["token"])
        self.pace, self.wanted, self.once = options["pace"], options["stages"], options["once"]
        self.stopping, self.lock, self.done = threading.Event(), threading.Lock(), 0
        self.found_nothing: set[str] = set()
        self.workers = [
            ExampleWorker(self, url, token, worker_type, number)
            for worker_type in options["types"]
            for number in range(1, options["each"] + 1)
        ]
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self.stopping.set())
        for worker in self.workers:
            worker.start()
        while not self.stopping.wait(0.2):
            pass
        for worker in self.workers:
            worker.join(30)
        self.say(f"{self.done} stages were completed.")

    def place(self, url: str, token: str) -> tuple[str, str]:
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
        with self.lock:
            self.stdout.write(text)
            self.stdout.flush()

    def count(self, completed: bool) -> None:
        """One stage more, or none; the last one ends the demo."""
        with self.lock:
            self.found_nothing.clear()
            self.done += completed
            if self.wanted and self.done >= self.wanted:
                self.stopping.set()

    def idle(self, worker: ExampleWorker) -> None:
        """This worker found nothing; with --once the demo ends when none did since anything was completed."""
        with self.lock:
            self.found_nothing.add(worker.name)
            if self.once and len(self.found_nothing) == len(self.workers):
                self.stopping.set()
        self.stopping.wait(0.5)
