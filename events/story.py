"""The end of the story: an incident is recorded as Tracker clients do, and the chain leads back to its ticket."""

from __future__ import annotations

import uuid
from typing import Any

from core.story import Caller, Voice, insist, wait_for

TRACKER = "/api/v1alpha1"
PRODUCTION = "production"


class Scene:
    """The running system, its people, and a service of this run's own."""

    def __init__(self, voice: Voice, demo: dict[str, Any]) -> None:
        self.voice = voice
        self.url = demo["url"]
        people = {role: Caller(self.url, account) for role, account in demo["users"].items()}
        self.devops, self.cpi, self.outsider = people["devops"], people["cpi"], people["outsider"]
        run = uuid.uuid4().hex[:6]
        self.ticket, self.service = f"SHIP-{int(run, 16)}", f"checkout-{run}"

    def record(self, title: str, ticket: str = "", **attributes: Any) -> str:
        """An event over Tracker's REST interface; its id."""
        body = {
            "title": title,
            "attributes": {"service": self.service, "environment": PRODUCTION, **attributes},
            "links": {"ticket": ticket},
        }
        return str(self.devops.post(f"{TRACKER}/event", body)["event"]["metadata"]["id"])

    def chain(self, by: Caller, **start: Any) -> dict[str, Any]:
        return dict(by.get("/v1/chain", **start))


def trace_an_incident(voice: Voice, demo: dict[str, Any]) -> None:
    """A ticket goes out, something breaks, and everyone sees which deployment it was and which ticket is behind it."""
    scene = Scene(voice, demo)
    voice.chapter("Something breaks: from the incident back to its ticket")
    open_a_ticket(scene)
    deployment = deploy(scene)
    incident = break_it(scene, deployment)
    trace(scene, incident, deployment)
    hold_up(scene, incident)
    measure(scene)


def open_a_ticket(scene: Scene) -> None:
    ticket = {"ticket_id": scene.ticket, "project_id": "finance/story", "title": "Show the shipping costs earlier"}
    scene.devops.post("/v1/tickets", ticket, expect=201)
    scene.voice.step(f"{scene.devops.name} opens {scene.ticket}", f"{scene.url}/tickets/{scene.ticket}/")


def deploy(scene: Scene) -> str:
    gate = scene.devops.get("/v1/environments/clearance", service=scene.service, environment="prod")
    insist(gate["allowed"], f"{scene.service} may not be deployed: {gate['objections']}")
    scene.voice.step("The pipeline asks whether it may deploy: allowed")
    other = scene.record(f"Deploy {scene.service} 1.0.0", type="deployment", status="success")
    deployment = scene.record(f"Deploy {scene.service} 1.1.0", scene.ticket, type="deployment", status="success")
    insist(other != deployment, "Two events have one id")
    scene.voice.step(f"It deploys {scene.service} 1.1.0 and tells Tracker", f"{scene.url}/events/{deployment}/")
    return deployment


def break_it(scene: Scene, deployment: str) -> str:
    incident = scene.record(
        "Checkout answers with errors", type="incident", status="open", priority="P1", relatedId=deployment
    )
    scene.voice.step("An incident is recorded, related to the deployment", f"{scene.url}/events/{incident}/")
    return incident


def trace(scene: Scene, incident: str, deployment: str) -> None:
    """Both ways: from the incident to the ticket, and from the ticket to the incident."""

    def look() -> dict[str, Any] | None:
        status, answer = _try(scene.devops, incident)
        keys = {thing["key"] for thing in answer.get("things", [])} if status else set()
        return answer if {scene.ticket, deployment} <= keys else None

    chain = wait_for("the incident's chain to reach the ticket", look)
    names = [thing["label"] for thing in chain["things"] if thing["kind"] in {"ticket", "deployment", "incident"}]
    scene.voice.step("The incident's chain: " + " → ".join(names), f"{scene.url}/chain/incident/{incident}/")
    forth = {thing["key"] for thing in scene.chain(scene.devops, ticket=scene.ticket)["things"]}
    insist(incident in forth, f"The ticket's chain does not reach the incident: {forth}")
    scene.voice.step("The ticket's chain ends with the incident", f"{scene.url}/tickets/{scene.ticket}/")
    scene.outsider.get("/v1/chain", incident=incident, expect=404)
    scene.voice.step(f"For {scene.outsider.name} of another tenant there is no such chain: 404")
    suspects = scene.devops.get("/v1/chain/suspects", incident=incident)["suspects"]
    insist(suspects[0]["thing"]["key"] == deployment, f"The first suspect is {suspects[0]}")
    scene.voice.step("First suspect of all that changed before: the deployment. " + suspects[0]["reasons"][0])
    cargo = scene.devops.get("/v1/chain/tickets", deployment=deployment)
    insist([ticket["key"] for ticket in cargo["tickets"]] == [scene.ticket], f"It carried {cargo['tickets']}")
    scene.voice.step(f"That deployment carried {scene.ticket} and nothing else since 1.0.0")


def _try(caller: Caller, incident: str) -> tuple[bool, dict[str, Any]]:
    """The chain once it is there; the log is read a moment after the fact."""
    status, answer = caller.look("/v1/chain", incident=incident)
    return status == 200, answer or {}


def hold_up(scene: Scene, incident: str) -> None:
    """While it is open, the pipeline is told to wait; afterwards it may go on."""
    question: dict[str, Any] = {"service": scene.service, "environment": "prod"}
    gate = scene.devops.get("/v1/environments/clearance", **question)
    insist([each["code"] for each in gate["objections"]] == ["incident_open"], f"The pipeline hears {gate}")
    scene.voice.step(f"May the pipeline deploy again? {gate['answer']}: {gate['objections'][0]['message']}")
    scene.devops.put(f"{TRACKER}/event", {"id": incident, "attributes": {"status": "close"}})
    wait_for(
        "the end of the incident", lambda: scene.devops.get("/v1/environments/clearance", **question)["allowed"] or None
    )
    scene.voice.step("The incident is closed, and deployments go on")


def measure(scene: Scene) -> None:
    told = scene.devops.get("/v1/measures", service=scene.service)
    rate, restore = told["changeFailureRate"]["value"], told["timeToRestore"]["value"]
    insist(rate == 0.5, f"Of two deployments one failed, but the rate is {rate}")
    insist(restore is not None and restore >= 0, f"The time to restore is {restore}")
    insist(scene.devops.get("/v1/measures", service="nobody")["leadTime"]["value"] is None, "No data became a number")
    scene.voice.step("The measures tell: one of two changes failed", f"{scene.url}/events/measures/")
