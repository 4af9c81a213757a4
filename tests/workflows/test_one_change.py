"""One change as six tools tell of it, in the running system: the ticket's page shows one chain, whatever came late or twice."""

from __future__ import annotations

import html
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.fakes import github_webhooks as github
from tests.fakes.github_webhooks import FakeGitHub
from tests.stack.running import ROOT, newcomer
from tests.workflows.system import System

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REPOSITORY, BRANCH = "acme/storefront", "feature/pay-by-card"
WORK, MERGE = "1" * 20 + "a" * 20, "2" * 20 + "b" * 20
PREFIX = "STORE"
PACKAGE = f"pkg:github/{REPOSITORY}@{MERGE}"
NEW_SOURCE = """
from accounts.models import Tenant
from events.cdevents.webhooks.secrets import secret_of
from events.models import EventSource
source = EventSource.objects.create(tenant=Tenant.objects.get(slug="tenant-finance"), kind="github", name="acme")
print("source", source.key, secret_of(source))
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("change"))
    yield system
    system.up.stop()


@pytest.fixture(scope="module")
def hub(system: System) -> FakeGitHub:
    """GitHub, after an administrator entered the address and the secret of a new source."""
    made = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", NEW_SOURCE], cwd=ROOT, capture_output=True, text=True, check=True,
        env=newcomer() | {"STAGEPASS_STATE": str(system.up.state)},
    )  # fmt: skip
    _, key, secret = made.stdout[made.stdout.index("source ") :].split()
    return FakeGitHub(f"{system.demo['url']}/webhooks/github/{key}", secret)


def call(system: System, method: str, path: str, body: Any, who: str = "devops") -> Any:
    headers = {"Authorization": f"Bearer {system.demo['users'][who]['token']}"}
    answer = httpx2.request(method, system.demo["url"] + path, json=body, headers=headers, timeout=30)
    assert answer.status_code < 300, answer.text
    return answer.json()


def test_everything_about_one_change_is_one_chain_on_the_tickets_page(system: System, hub: FakeGitHub) -> None:
    ticket = open_ticket(system)
    told = payloads(ticket)

    # The end comes first, the beginning last, and the worker dies in the middle.
    stolen = hub.deliver(*told["deployment_status"], secret="whsec_guessed")
    assert stolen.status_code == 401
    armed = system.arm("before_webhook_received")
    for name in ("deployment_status", "deployment", "workflow_run"):
        assert hub.deliver(*told[name]).status_code == 202
    packaged(system)
    once = str(uuid.uuid4())
    codes = [hub.deliver(*told["push"], delivery=once).status_code for _ in range(2)]
    assert codes == [202, 200]
    system.kill("dispatcher")
    assert hub.deliver(*told["merge"]).status_code == 202
    tracked(system)
    assert hub.deliver(*told["pull_request"]).status_code == 202, "a month late"
    system.until(lambda: not armed.exists(), timeout=30)

    browser = Browser(system, "devops")
    wanted = {
        f"Change {ticket} Pay by card", f"Commit {ticket} Take cards",
        f"Commit Merge pull request #42 from {BRANCH}", "Build Build and test", f"Artifact storefront {MERGE[:12]}",
        f"Deployment Deploy storefront {MERGE[:12]}", "Deployment Deploy storefront 4.2.0", "Test run Test checkout",
    }  # fmt: skip
    page = system.until(lambda: (page := browser.chain(f"/tickets/{ticket}/")) and wanted <= set(page) and page)
    assert "Merged" in page[f"Change {ticket} Pay by card"]
    [(dead,)] = system.sql("SELECT count(*) FROM events_deadletter")
    assert dead == 0
    [(received,)] = system.sql("SELECT count(*) FROM events_receivedevent WHERE type LIKE '%%commit.pushed%%'")
    assert received == 2
    # Its project follows events: merged is reviewed, and the deployment resolves it if its commits were known by then.
    ended = {"reviewed", "resolved"}
    system.until(lambda: call(system, "GET", f"/v1/tickets/{ticket}", None)["state"] in ended)


def open_ticket(system: System) -> str:
    """The key of a new ticket, in a project that follows events."""
    project = {"project_id": REPOSITORY, "prefix": PREFIX}
    call(system, "POST", "/v1/projects", project, "cpi_admin")
    call(system, "PATCH", f"/v1/projects/{REPOSITORY}", {"settings": {"follow_events": True}}, "cpi_admin")
    made = call(system, "POST", "/v1/tickets", {"project_id": REPOSITORY, "title": "Pay by card"})
    return str(made["ticket_id"])


def payloads(ticket: str) -> dict[str, tuple[str, Any]]:
    """What GitHub sends about the change, by name; the ticket is named by the branch's commit and the pull request only."""
    about = {"number": 42, "title": f"{ticket} Pay by card", "branch": BRANCH, "head": WORK}
    merged = f"Merge pull request #42 from {BRANCH}\n\n{ticket} Pay by card"
    commits = [
        github.commit(WORK, f"{ticket} Take cards", "2026-02-02T10:00:00+01:00", REPOSITORY),
        github.commit(MERGE, merged, "2026-02-02T12:00:00+01:00", REPOSITORY),
    ]
    place = {"number": 5, "sha": MERGE, "environment": "production"}
    return {
        "push": ("push", github.push(REPOSITORY, "main", commits, before="9" * 40)),
        "pull_request": (
            "pull_request", github.pull_request(REPOSITORY, "opened", at="2026-02-02T10:30:00Z", **about)
        ),
        "merge": (
            "pull_request", github.pull_request(REPOSITORY, "closed", at="2026-02-02T11:00:00Z", merge=MERGE, **about)
        ),
        "workflow_run": (
            "workflow_run",
            github.workflow_run(
                REPOSITORY, "completed", run=77, sha=MERGE, branch="main", message=merged, at="2026-02-02T11:10:00Z"
            ),
        ),
        "deployment": ("deployment", github.deployment(REPOSITORY, at="2026-02-02T11:20:00Z", **place)),
        "deployment_status": (
            "deployment_status",
            github.deployment_status(REPOSITORY, "success", at="2026-02-02T11:25:00Z", **place),
        ),
    }  # fmt: skip


def packaged(system: System) -> None:
    """A build server's CDEvents: the artifact was packaged, and its tests passed."""

    def event(number: int, kind: str, subject: str, content: dict[str, Any]) -> dict[str, Any]:
        return {
            "context": {"specversion": "0.5.1", "id": f"ci-{number}", "source": f"/ci/{REPOSITORY}",
                        "timestamp": f"2026-02-02T11:1{number}:00Z", "type": f"dev.cdevents.{kind}"},
            "subject": {"id": subject, "content": content},
        }  # fmt: skip

    change = {"id": "42", "source": f"https://github.com/{REPOSITORY}"}
    tests = event(2, "testcaserun.finished.0.3.0", "checkout", {"outcome": "success", "environment": {"id": "ci"}})
    tests["subject"]["content"]["testCase"] = {"id": "checkout", "name": "checkout"}
    tests["context"]["links"] = [{"linkType": "PATH", "from": {"contextId": "ci-1"}}]
    told = [event(1, "artifact.packaged.0.3.0", PACKAGE, {"change": change}), tests]
    answers = call(system, "POST", "/v1/cdevents", told)
    assert [item["status"] for item in answers["items"]] == ["accepted"] * 2, answers


def tracked(system: System) -> None:
    """Somebody records the deployment in Tracker, with the pull request."""
    told = {
        "attributes": {
            "type": "deployment", "source": "pipeline", "service": "storefront", "status": "success",
            "environment": "production", "priority": "P3", "message": "By hand",
        },
        "title": "Deploy storefront 4.2.0", "links": {"pullRequestLink": f"https://github.com/{REPOSITORY}/pull/42"},
    }  # fmt: skip
    call(system, "POST", "/api/v1alpha1/event", told)


class Browser:
    """Somebody signed in who reads pages."""

    def __init__(self, system: System, who: str) -> None:
        self.client = httpx2.Client(base_url=system.demo["url"], follow_redirects=True, timeout=30)
        person, page = system.demo["users"][who], self.client.get("/accounts/login/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None, page
        typed = {"login": person["email"], "password": person["password"], "csrfmiddlewaretoken": token[1]}
        answer = self.client.post("/accounts/login/", data=typed, headers={"Referer": system.demo["url"]})
        assert "sessionid" in self.client.cookies, answer.text

    def chain(self, address: str) -> dict[str, str]:
        """The lines of the chain on a page: "Kind Label", and all the text of the line."""
        card = self.client.get(address).text.partition('<h2 id="chain">')[2].partition("</section>")[0]
        found = {}
        for line in card.split("<li ")[1:]:
            kind, label = re.search(r'class="muted">([^<]+)<', line), re.search(r"<strong>([^<]+)", line)
            assert kind is not None, line
            assert label is not None, line
            name = html.unescape(f"{kind[1]} {label[1]}".strip())
            assert name not in found, "nothing is there twice"
            found[name] = html.unescape(" ".join(re.sub(r"<[^>]+>", " ", line).split()))
        return found
