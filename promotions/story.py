"""The main job as a story: ask, be refused, be approved, deploy, be told of, and take it back again."""

from __future__ import annotations

import email
import email.policy
import io
import json
import re
import subprocess
import uuid
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management import call_command

from core.story import Caller, Surprise, Voice, insist, wait_for

BASE = "/v1/requests/prod"
NAME = "payment-api"
OVER = {"deployed", "failed", "rejected", "withdrawn", "expired", "rolled_back"}


class Scene:
    """The running system and its people, as var/demo.json tells of them."""

    def __init__(self, voice: Voice, demo: dict[str, Any]) -> None:
        self.voice = voice
        self.url = demo["url"]
        self.repository = Path(demo["audit_repository"])
        self.mailbox = Path(demo["mailbox"])
        self.production = self.repository.parent / "environments" / "prod"
        people = {role: Caller(self.url, account) for role, account in demo["users"].items()}
        self.devops, self.cpi, self.boss = people["devops"], people["cpi"], people["cpi_admin"]
        self.viewer, self.outsider = people["viewer"], people["outsider"]

    def page(self, number: str) -> str:
        return f"{self.url}/requests/{number}/"

    def running_version(self) -> str:
        """What production really runs, from the file that was deployed."""
        path = self.production / self.devops.tenant / NAME / "current" / "version.json"
        insist(path.exists(), f"Nothing is deployed at {path}")
        return str(json.loads(path.read_text(encoding="utf-8"))["version"])

    def commits(self, number: str) -> list[str]:
        """The actions that the audit repository has recorded of a request, oldest first."""
        done = subprocess.run(
            ["git", "-C", str(self.repository), "log", "--reverse", "--format=%(trailers:key=Action,valueonly)",
             "main", "--", f":(glob)requests/prod/**/{number}.yaml"],
            capture_output=True, text=True, check=False, timeout=15,
        )  # fmt: skip
        return done.stdout.split()

    def mails_about(self, number: str) -> list[tuple[str, str]]:
        """To whom, and with which subject, mail about the request was caught."""
        found = []
        for path in sorted(self.mailbox.glob("*.eml")) if self.mailbox.is_dir() else []:
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if number in str(message["Subject"]):
                found.append((str(message["To"] or message["X-Envelope-To"]), str(message["Subject"])))
        return found


def promote_and_roll_back(voice: Voice, demo: dict[str, Any]) -> None:
    """A version goes to production under four eyes, and back."""
    scene = Scene(voice, demo)
    voice.chapter("A version goes to production")
    finish_what_is_active(scene)
    before = scene.running_version()
    version = fresh_version(scene)
    number = ask(scene, version, before)
    refuse_the_wrong_people(scene, number)
    approve(scene, number)
    follow(scene, number, version)
    read_mail(scene, number)
    voice.chapter("And back again")
    roll_back(scene, number, before)
    verify(scene)


def finish_what_is_active(scene: Scene) -> None:
    """A target has at most one active request: end what an earlier visitor left."""
    listed = scene.boss.get(
        BASE, state=["pending", "scheduled", "approved", "deploying"], tenant=scene.devops.tenant, q=NAME
    )
    for each in listed:
        if each["spec"]["target"]["name"] != NAME:
            continue
        number, state = each["metadata"]["id"], each["status"]["state"]
        if state in {"pending", "scheduled"}:
            someone_else = scene.cpi if each["metadata"]["createdBy"] != scene.cpi.email else scene.boss
            someone_else.post(f"{BASE}/{number}/reject", {"reason": "Left over from before the story"})
            scene.voice.step(f"{number} was still {state}: {someone_else.name} rejects it", scene.page(number))
        else:
            ended = wait_until(scene, number, OVER)
            scene.voice.step(f"{number} was still {state}: now it is {ended['status']['state']}", scene.page(number))


def fresh_version(scene: Scene) -> str:
    """A version that nobody asked for before."""
    minors = [1]
    for each in scene.boss.get(BASE, tenant=scene.devops.tenant, q=NAME, limit=1000):
        if match := re.fullmatch(r"2\.(\d+)\.0", each["spec"]["target"]["version"]):
            minors.append(int(match[1]))
    return f"2.{max(minors) + 1}.0"


def ask(scene: Scene, version: str, before: str) -> str:
    body = {
        "target": {"type": "api", "name": NAME, "version": version},
        "request": {
            "justification": "New PCI-DSS compliant payment flow",
            "releaseNotes": "- Added 3DS2 authentication\n- Fixed timeout issues\n- Performance improvements\n",
            "impactAssessment": "low",
            "rollbackPlan": f"Roll back to {before}",
        },
        "preChecks": {
            "stagingTestsPassed": True,
            "securityScanPassed": True,
            "performanceTestsPassed": True,
            "testEvidenceUrl": "https://ci.example.com/pipeline/12345",
        },
    }
    key = uuid.uuid4().hex
    number = scene.devops.post(BASE, body, expect=201, key=key)["metadata"]["id"]
    text = f"{scene.devops.name} asks for {NAME} {version} in production, which runs {before}: {number}"
    scene.voice.step(text, scene.page(number))
    again = scene.devops.post(BASE, body, expect=201, key=key)["metadata"]["id"]
    insist(again == number, f"The same click made {number} and {again}")
    scene.voice.step("The same click sent twice makes one request")
    waiting = [each["metadata"]["id"] for each in scene.cpi.get(f"{BASE}/pending", limit=1000)]
    insist(number in waiting, f"{number} does not wait for {scene.cpi.name}")
    mine = [each["metadata"]["id"] for each in scene.devops.get(f"{BASE}/pending")]
    insist(number not in mine, f"{number} waits for its own author")
    scene.voice.step(f"It waits for {scene.cpi.name}, not for its author", f"{scene.url}{BASE}/pending")
    return str(number)


def refuse_the_wrong_people(scene: Scene, number: str) -> None:
    address = f"{BASE}/{number}"
    refusal = scene.devops.post(f"{address}/approve", expect=403)
    scene.voice.step(f"{scene.devops.name} tries to approve it: 403 {refusal['detail']}")
    refusal = scene.viewer.post(f"{address}/approve", expect=403)
    scene.voice.step(f"{scene.viewer.name}, a viewer, tries: 403 {refusal['detail']}")
    scene.outsider.get(address, expect=404)
    scene.outsider.post(f"{address}/approve", expect=404)
    scene.voice.step(f"For {scene.outsider.name} of {scene.outsider.tenant} it does not exist: 404")
    state = scene.cpi.get(address)["status"]["state"]
    insist(state == "pending", f"{number} is {state} after refusals")


def approve(scene: Scene, number: str, *, by: Caller | None = None) -> None:
    by = by or scene.cpi
    reviewed = by.get(f"{BASE}/{number}")["status"]["digest"]
    answer = by.post(f"{BASE}/{number}/approve", {"comment": "Approved after review", "digest": reviewed})
    insist(answer["status"]["approvedBy"] == by.email, f"{number} was not approved by {by.email}")
    scene.voice.step(f"{by.name} approves exactly what was reviewed ({reviewed[:12]}…)", scene.page(number))
    wait_for(f"the commit of {number}'s approval", lambda: "approved" in scene.commits(number))
    scene.voice.step("The approval is a commit of the audit repository", str(scene.repository))


def follow(scene: Scene, number: str, version: str) -> None:
    """Show the log as it grows, until the version runs."""
    attempt = wait_for("a deployment attempt", lambda: scene.cpi.get(f"{BASE}/{number}/deployments"))[0]
    log = f"{BASE}/{number}/deployments/{attempt['attempt']}/log"
    scene.voice.step(f"{attempt['deploymentId']} is on its way by {attempt['deployer']}", f"{scene.url}{log}")
    show_log(scene, log)
    ended = wait_until(scene, number, OVER)
    state = ended["status"]["state"]
    insist(state == "deployed", f"{number} ended as {state}: {ended['status']['history'][-1]}")
    runs = scene.running_version()
    insist(runs == version, f"Production runs {runs}, not {version}")
    scene.voice.step(f"Deployed: production runs {NAME} {version}", str(scene.production / scene.devops.tenant / NAME))
    expected = ["created", "approved", "deploying", "deployed"]
    wait_for(f"the commits {expected} of {number}", lambda: scene.commits(number) == expected)
    scene.voice.step(f"The audit repository has each step: {', '.join(expected)}")


def show_log(scene: Scene, log: str) -> None:
    offset, rest = 0, ""
    while True:
        piece = wait_for("more of the log", partial(_more, scene, log, offset), seconds=60)
        offset = piece["nextOffset"]
        *lines, rest = (rest + piece["text"]).split("\n")
        for line in lines:
            scene.voice.line(line)
        if piece["complete"]:
            return


def _more(scene: Scene, log: str, offset: int) -> dict[str, Any] | None:
    piece: dict[str, Any] = scene.cpi.get(log, offset=offset)
    return piece if piece["text"] or piece["complete"] else None


def wait_until(scene: Scene, number: str, states: set[str]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        document: dict[str, Any] = scene.boss.get(f"{BASE}/{number}")
        return document if document["status"]["state"] in states else None

    return wait_for(f"{number} to become {' or '.join(sorted(states))}", look, seconds=60)


def read_mail(scene: Scene, number: str) -> None:
    if not scene.mailbox.is_dir():
        scene.voice.step("Mail goes to a server of your own; the demo catches none")
        return
    wanted = scene.devops.email

    def look() -> list[tuple[str, str]]:
        mails = scene.mails_about(number)
        return mails if any(wanted in to and subject.endswith("deployed") for to, subject in mails) else []

    mails = wait_for(f"the mail that tells {wanted} that {number} is deployed", look)
    scene.voice.step(f"{len(mails)} e-mails about it were caught so far", str(scene.mailbox))
    for recipients, subject in mails:
        scene.voice.line(f"{subject}  →  {recipients}")


def roll_back(scene: Scene, number: str, before: str) -> None:
    answer = scene.devops.post(f"{BASE}/{number}/rollback", {"reason": "Timeouts in the checkout"}, expect=201)
    back, target = answer["metadata"]["id"], answer["spec"]["target"]["version"]
    insist(target == before, f"{back} brings back {target}, not {before}")
    scene.voice.step(f"{scene.devops.name} asks to roll back to {before}: {back}", scene.page(back))
    scene.devops.post(f"{BASE}/{back}/approve", expect=403)
    scene.voice.step("It needs an approval of its own, again by someone else")
    approve(scene, back, by=scene.boss)
    follow(scene, back, before)
    state = wait_until(scene, number, {"rolled_back"})["status"]["state"]
    scene.voice.step(f"{number} is {state.replace('_', ' ')}", scene.page(number))


def verify(scene: Scene) -> None:
    """Database, chain of facts and repository tell the same, once all is recorded."""
    told = wait_for("the records to agree", _verified, seconds=20)
    scene.voice.step(f"manage.py audit verify: {told}")


def _verified() -> str:
    out = io.StringIO()
    try:
        call_command("audit", "verify", stdout=out)
    except SystemExit:
        return ""
    except Exception as error:
        raise Surprise(f"manage.py audit verify failed: {error}") from error
    return " ".join(out.getvalue().split())
