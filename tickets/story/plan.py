"""The tickets' part of the story: a plan is worked through by competing workers, one of which dies, and a person decides."""

from __future__ import annotations

import uuid
from typing import Any

from core.story import Caller, Voice, insist, wait_for

PLAN: list[Any] = ["architect", "developer", {"stage": "sign-off", "gate": True}, "tester"]
SHORT_LEASE = 5


class Scene:
    """The running system and its people, and workers of this run's own types."""

    def __init__(self, voice: Voice, demo: dict[str, Any]) -> None:
        self.voice = voice
        self.url = demo["url"]
        people = {role: Caller(self.url, account) for role, account in demo["users"].items()}
        self.devops, self.cpi, self.worker, self.outsider = (
            people[role] for role in ("devops", "cpi", "worker", "outsider")
        )
        # Nobody else's workers take part, whatever else runs in the demo.
        self.run = uuid.uuid4().hex[:6]
        self.key = f"STORY-{self.run}"
        self.path = f"/v1/tickets/{self.key}"

    def own(self, name: str) -> str:
        return f"{name}-{self.run}"

    def claim(self, worker: str) -> dict[str, Any] | None:
        """The next task of the worker, or None."""
        body = {"worker_id": worker, "lease_seconds": SHORT_LEASE}
        status, task = self.worker.attempt("/v1/tasks/claim", body)
        insist(status in {200, 204}, f"{worker} claims and gets {status}: {task}")
        return dict(task) if task else None


def follow_a_plan(voice: Voice, demo: dict[str, Any]) -> None:
    """Open a ticket, work through its plan with competing workers, lose one, pass the gate, close it."""
    scene = Scene(voice, demo)
    voice.chapter("A ticket gets done: plan, workers, a gate")
    open_it(scene)
    start_workers(scene)
    lose_a_worker(scene)
    pass_the_gate(scene)
    finish(scene)


def open_it(scene: Scene) -> None:
    plan = [step | {"stage": scene.own(step["stage"])} if isinstance(step, dict) else scene.own(step) for step in PLAN]
    ticket = {
        "ticket_id": scene.key, "project_id": "finance/story", "title": "Implement user authentication",
        "description": "Create a secure user authentication system", "execution_plan": plan,
    }  # fmt: skip
    scene.devops.post("/v1/tickets", ticket, expect=201)
    scene.outsider.get(scene.path, expect=404)
    scene.voice.step(f"{scene.devops.name} opens {scene.key}; another tenant does not see it", f"{scene.url}/tickets/")


def start_workers(scene: Scene) -> None:
    for name in ("architect", "developer", "tester"):
        for number in (1, 2):
            worker = {"worker_id": f"{scene.own(name)}-{number}", "worker_type": scene.own(name)}
            scene.worker.post("/v1/workers", worker, expect=201)
    scene.devops.post(f"{scene.path}/queue")
    scene.voice.step("Two workers of each type are there, the first stage is queued")


def lose_a_worker(scene: Scene) -> None:
    """The first worker claims and is never heard of again; the second takes over when the lease has run out."""
    architect = scene.own("architect")
    lost = scene.claim(f"{architect}-1")
    insist(lost is not None, "The first architect found nothing to claim")
    assert lost is not None
    insist(scene.claim(f"{architect}-2") is None, "Two architects claimed the same stage")
    scene.voice.step(f"{architect}-1 claims the stage and dies; {architect}-2 has to wait for the end of its lease")
    task = wait_for("the lease to run out", lambda: scene.claim(f"{architect}-2"), seconds=30)
    insist(task["fence"] == lost["fence"] + 1, "The fence did not grow")
    scene.worker.post(f"/v1/tasks/{task['task_id']}/complete", {"fence": lost["fence"]}, expect=409)
    scene.voice.step("What comes back from the dead is refused: its fence is too old")
    complete(scene, task, "Sessions in the database, log-out everywhere.")
    developer = wait_for("the developer's stage", lambda: scene.claim(f"{scene.own('developer')}-1"))
    complete(scene, developer, "Done, with tests.")


def complete(scene: Scene, task: dict[str, Any], comment: str) -> None:
    done = scene.worker.post(f"/v1/tasks/{task['task_id']}/complete", {"fence": task["fence"], "comment": comment})
    following = done["current_stage"] or "nobody, the plan is done"
    scene.voice.step(f"{task['worker_id']} completes {task['worker_type']}; next is {following}")


def pass_the_gate(scene: Scene) -> None:
    scene.worker.post(f"{scene.path}/gate", {"approve": True}, expect=403)
    scene.devops.post(f"{scene.path}/close", {"status": "completed"}, expect=403)
    scene.voice.step("The gate waits for a person: no worker passes it, nobody goes round it")
    ticket = scene.cpi.post(f"{scene.path}/gate", {"approve": True, "comment": "Reviewed."})
    scene.voice.step(f"{scene.cpi.name} passes the gate; the ticket is {ticket['state']}")


def finish(scene: Scene) -> None:
    tester = wait_for("the tester's stage", lambda: scene.claim(f"{scene.own('tester')}-2"))
    complete(scene, tester, "All green.")
    events = scene.devops.get("/v1/ticket-events", ticket_id=scene.key)["events"]
    names = [event["event_type"] for event in events]
    insist(names.count("ticket_stage_completed") == len(PLAN), f"The events tell {names}")
    insist("task_lease_expired" in names, "The lost lease left no event")
    ids = [event["event_id"] for event in events]
    scene.devops.post("/v1/ticket-events/processed", {"event_ids": ids, "resolution": "The story read them"})
    scene.voice.step(f"The coordinator reads {len(ids)} events and marks them as dealt with")
    for name in ("architect", "developer", "tester"):
        for number in (1, 2):
            scene.worker.post(f"/v1/workers/{scene.own(name)}-{number}/stop", {"reason": "The story is over"})
    closed = scene.devops.post(f"{scene.path}/close", {"status": "completed"})
    scene.voice.step(f"{scene.key} is {closed['state']}", f"{scene.url}/tickets/{scene.key}/")
