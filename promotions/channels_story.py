"""Everyone is told: a decision taken in Slack, the six events in Kafka, a signed webhook, where the stand-ins run."""

from __future__ import annotations

import contextlib
import http.server
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2

from core.story import Voice, insist, wait_for
from events.endpoints.secrets import sign
from promotions.story import BASE, NAME, OVER, Scene, finish_what_is_active, fresh_version, wait_until

SIX = {
    "request-created", "request-approved", "request-rejected", "deployment-started", "deployment-succeeded",
    "deployment-failed",
}  # fmt: skip


class Receiver:
    """A program that listens for webhooks and checks what it gets."""

    def __init__(self) -> None:
        self.secret = ""
        self.told: list[tuple[str, str]] = []
        self.forged = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One webhook."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stamp, key = int(self.headers["webhook-timestamp"]), self.headers["webhook-id"]
                genuine = sign(receiver.secret, key, stamp, body) in self.headers["webhook-signature"].split()
                if genuine and abs(time.time() - stamp) < 300:
                    message = json.loads(body)
                    receiver.told.append((message["payload"]["subject"]["id"], message["type"]))
                else:
                    receiver.forged += 1
                self.send_response(204 if genuine else 401)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Keeps quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/stagepass"


def tell_everyone(voice: Voice, demo: dict[str, Any]) -> None:
    """Three requests: one rejected and one approved in Slack, one that fails to deploy; and who heard of it."""
    if not demo.get("slack") or not demo.get("kafka"):
        return
    scene = Scene(voice, demo)
    voice.chapter("Everyone hears of it")
    finish_what_is_active(scene)
    with listening(scene) as receiver:
        rejected = ask_for(scene, fresh_version(scene))
        reject_in_slack(scene, demo["slack"], rejected)
        deployed = ask_for(scene, fresh_version(scene))
        approve_in_slack(scene, demo["slack"], deployed)
        failed = ask_for(scene, f"{fresh_version(scene)}-broken")
        approve_in_slack(scene, demo["slack"], failed, ends="failed")
        numbers = {rejected, deployed, failed}
        read_kafka(scene, numbers)
        hear_webhooks(scene, receiver, numbers)


@contextlib.contextmanager
def listening(scene: Scene) -> Iterator[Receiver]:
    """A webhook endpoint for as long as the chapter takes."""
    receiver = Receiver()
    threading.Thread(target=receiver.server.serve_forever, daemon=True).start()
    wish = {"name": f"story {uuid.uuid4().hex[:6]}", "url": receiver.url, "patterns": ["promotion.*", "deployment.*"]}
    made = scene.cpi.post("/v1/webhooks", wish, expect=201)
    receiver.secret = made["secret"]
    scene.voice.step(f"{scene.cpi.name} makes a webhook; its secret is shown once", f"{scene.url}/deliveries/webhooks/")
    try:
        yield receiver
    finally:
        scene.cpi.attempt(f"/v1/webhooks/{made['id']}/secret", {})
        httpx2.request("DELETE", f"{scene.url}/v1/webhooks/{made['id']}", headers=scene.cpi._http.headers)
        receiver.server.shutdown()


def ask_for(scene: Scene, version: str) -> str:
    body = {
        "target": {"type": "api", "name": NAME, "version": version},
        "request": {
            "justification": "To see that everyone hears of it",
            "releaseNotes": "- Nothing new\n",
            "impactAssessment": "low",
            "rollbackPlan": "Roll back by a new request",
        },
        "preChecks": {
            "stagingTestsPassed": True,
            "securityScanPassed": True,
            "performanceTestsPassed": True,
            "testEvidenceUrl": "https://ci.example.com/pipeline/12345",
        },
    }
    number = str(scene.devops.post(BASE, body, expect=201)["metadata"]["id"])
    scene.voice.step(f"{scene.devops.name} asks for {NAME} {version}: {number}", scene.page(number))
    return number


def _state(slack: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.get(f"{slack}_state", timeout=10).json()
    return found


def message_about(slack: str, number: str, saying: str = "") -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        for message in _state(slack)["messages"]:
            if number in message["text"] and saying in message["text"]:
                return dict(message)
        return None

    return wait_for(f"a message in Slack about {number} {saying}", look, seconds=60)


def act(slack: str, what: str, **form: str) -> None:
    answer = httpx2.post(f"{slack}_do/{what}", data=form, headers={"Accept": "application/json"}, timeout=10)
    status = answer.json()["status"]
    insist(status == 200, f"The app answered Slack's {what} with {status}")


def approve_in_slack(scene: Scene, slack: str, number: str, ends: str = "deployed") -> None:
    message = message_about(slack, number)
    act(slack, "click", ts=message["ts"], action="approve", user="U0PIERRE")
    refusal = wait_for("the refusal in Slack", lambda: _whispers(slack, "U0PIERRE", "your own request"))
    scene.voice.step(f"{scene.devops.name} presses Approve in Slack: {refusal}")
    act(slack, "click", ts=message["ts"], action="approve", user="U0JEAN")
    document = wait_until(scene, number, OVER)
    insist(document["status"]["approvedBy"] == scene.cpi.email, f"{number} was not approved by {scene.cpi.email}")
    insist(document["status"]["state"] == ends, f"{number} is {document['status']['state']}, not {ends}")
    after = message_about(slack, number, ends.capitalize())
    insist(after["ts"] == message["ts"], f"{number} has two messages in Slack")
    scene.voice.step(f"{scene.cpi.name} presses it; the same message now says {ends}", slack)


def _whispers(slack: str, user: str, text: str) -> str:
    found = [each["text"] for each in _state(slack)["whispers"] if each["user"] == user and text in each["text"]]
    return str(found[-1]) if found else ""


def reject_in_slack(scene: Scene, slack: str, number: str) -> None:
    message = message_about(slack, number)
    act(slack, "click", ts=message["ts"], action="reject", user="U0JEAN")
    view = wait_for("the form that asks for the reason", lambda: list(_state(slack)["views"]))[-1]
    act(slack, "submit", view=view, user="U0JEAN", reason="Refunds are not tested yet")
    wait_until(scene, number, {"rejected"})
    message_about(slack, number, "Rejected")
    scene.voice.step(f"{scene.cpi.name} presses Reject in Slack and gives a reason in the form", slack)


def read_kafka(scene: Scene, numbers: set[str]) -> None:
    """A consumer in a process of its own."""
    command = [sys.executable, "manage.py", "kafka_tail", "promotion-requests", "--json", "--group", uuid.uuid4().hex]
    tail = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    told: list[tuple[str, str]] = []

    def read() -> None:
        assert tail.stdout is not None
        for line in tail.stdout:
            message = json.loads(line)
            told.append((message["key"], message["value"]["type"]))

    threading.Thread(target=read, daemon=True).start()
    try:
        wait_for("the six events in Kafka", lambda: {name for key, name in told if key in numbers} >= SIX, seconds=60)
    finally:
        tail.terminate()
        tail.wait(15)
    scene.voice.step("A consumer in another process prints the six events, each request in order")
    for number in sorted(numbers):
        scene.voice.line(f"{number}: {', '.join(name for key, name in told if key == number)}")


def hear_webhooks(scene: Scene, receiver: Receiver, numbers: set[str]) -> None:
    def look() -> bool:
        return {name for key, name in receiver.told if key in numbers} >= SIX

    wait_for("the webhooks of all six", look, seconds=60)
    insist(receiver.forged == 0, f"{receiver.forged} webhooks were not signed rightly")
    count = len(receiver.told)
    scene.voice.step(f"The webhook's receiver verified {count} signatures", f"{scene.url}/deliveries/")
