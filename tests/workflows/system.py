"""The running system as an outsider drives it: REST as the demo accounts, crashes at named places, and an auditor."""

from __future__ import annotations

import contextlib
import email
import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psycopg

from config.stack import environment
from tests.fakes.running import FakeAwx
from tests.stack.running import ROOT, Up, newcomer

AWX_SERVICE = "ledger"  # an application; what it is deployed by says promotions/demo.py
ENDED = {"deployed", "failed", "rejected", "withdrawn", "expired", "rolled_back"}


class System:
    """A whole system with a fake AWX, armed to die where a test says."""

    def __init__(self, folder: Path) -> None:
        self.failpoints = folder / "failpoints"
        self.failpoints.mkdir(parents=True)
        self.up = Up(folder / "var", "--with-awx", FAILPOINTS=str(self.failpoints))
        self.up.start()
        self.values = environment.read(self.up.state)
        self.demo = json.loads((self.up.state / "demo.json").read_text())
        self.awx = FakeAwx(self.values["AWX_URL"], self.values["AWX_TOKEN"])
        self.version = 0

    # What people do

    def post(self, who: str, path: str, body: dict[str, Any], key: str | None = None) -> httpx2.Response:
        """POST until there is an answer, as a careful client does: with one Idempotency-Key over all tries."""
        headers = {
            "Authorization": f"Bearer {self.demo['users'][who]['token']}",
            "Idempotency-Key": key or str(uuid.uuid4()),
        }
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx2.TransportError):
                answer = httpx2.post(
                    f"{self.demo['url']}/v1/requests/prod{path}", json=body, headers=headers, timeout=30
                )
                if answer.status_code < 500:
                    return answer
            assert time.monotonic() < end, f"no answer to {path}"
            time.sleep(0.2)

    def get(self, who: str, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.demo['users'][who]['token']}"}
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx2.TransportError):
                answer = httpx2.get(f"{self.demo['url']}/v1/requests/prod{path}", headers=headers, timeout=30)
                if answer.status_code == 200:
                    return answer.json()
            assert time.monotonic() < end, f"no answer from {path}"
            time.sleep(0.2)

    def request(self, service: str = AWX_SERVICE, **details: Any) -> str:
        """A new request of a version nobody asked for before; its number."""
        self.version += 1
        body = {
            "target": {
                "type": "application" if service == AWX_SERVICE else "api",
                "name": service,
                "version": f"7.0.{self.version}",
            },
            "request": {
                "justification": "Carried through a crash on purpose",
                "releaseNotes": "Nothing that users see",
                "impactAssessment": "low",
                "rollbackPlan": "Deploy the previous version",
                **details,
            },
            "preChecks": {
                "stagingTestsPassed": True,
                "securityScanPassed": True,
                "performanceTestsPassed": True,
                "testEvidenceUrl": "https://ci.example.com/1",
            },
        }
        answer = self.post("devops", "", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["metadata"]["id"])

    def approve(self, number: str) -> httpx2.Response:
        return self.post("cpi", f"/{number}/approve", {"comment": "Go"})

    def ended(self, number: str, timeout: float = 150) -> str:
        """Its final state, once it has one."""
        return str(self.until(lambda: (s := self.get("cpi", f"/{number}")["status"]["state"]) in ENDED and s, timeout))

    def until(self, question: Callable[[], Any], timeout: float = 150) -> Any:
        end = time.monotonic() + timeout
        while not (answer := question()):
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.1)
        return answer

    # What goes wrong

    def arm(self, place: str) -> Path:
        """Whoever comes to this place next is killed; the file is gone once that has happened."""
        path = self.failpoints / place
        path.touch()
        return path

    def pass_most_of_a_lease(self) -> None:
        """As if the dead had begun what they hold a while earlier: their leases outlive them by 10 seconds, not by a minute."""
        self.sql("UPDATE events_delivery SET lease_until = lease_until - interval '35 s' WHERE state = 'sending'")
        self.sql("UPDATE promotions_deployment SET next_at = next_at - interval '50 s' WHERE state = 'launching'")

    def kill(self, name: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.up.pids()[name], 9)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.values["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    # The auditor

    def settle(self, timeout: float = 150) -> None:
        """Until everything that was to be told has been told."""
        undone = "SELECT count(*) FROM events_delivery WHERE state IN ('queued', 'sending')"
        unrouted = (
            "SELECT coalesce((SELECT max(sequence) FROM events_domainevent), 0)"
            " - coalesce((SELECT position FROM events_dispatchcursor), 0)"
        )

        def quiet() -> bool:
            with contextlib.suppress(psycopg.OperationalError):
                return self.sql(undone)[0][0] == 0 and self.sql(unrouted)[0][0] == 0
            return False

        self.until(quiet, timeout)

    def audit(self) -> None:
        """Nothing is lost, nothing is done twice, and database, chain and git say the same."""
        self.settle()
        assert self.sql("SELECT channel, last_error FROM events_delivery WHERE state = 'dead'") == []
        self._one_job_per_attempt()
        self._one_mail_per_message()
        commits = Counter(self._trailers("Fact-Id"))
        facts = self.sql(
            "SELECT id::text FROM events_domainevent WHERE type LIKE 'promotion.%%' OR type LIKE 'deployment.%%'"
        )
        assert commits == Counter(row[0] for row in facts), "git does not hold each step exactly once"
        verified = subprocess.run(
            [sys.executable, "manage.py", "audit", "verify"],
            cwd=ROOT, env=newcomer() | {"STAGEPASS_STATE": str(self.up.state)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert verified.returncode == 0, verified.stdout + verified.stderr

    def _one_job_per_attempt(self) -> None:
        attempts = self.sql("SELECT nonce::text, state FROM promotions_deployment WHERE deployer = 'awx'")
        jobs = self.awx.seen()["by_nonce"]
        assert set(jobs) <= {nonce for nonce, _ in attempts}, "AWX runs a job that nobody approved"
        for nonce, state in attempts:
            assert jobs.get(nonce, 0) == 1, f"{jobs.get(nonce, 0)} jobs for an attempt that is {state}"

    def _one_mail_per_message(self) -> None:
        sent = self.sql(
            "SELECT count(*) FROM events_delivery WHERE channel = 'email' AND state = 'done' AND receipt ? 'message_id'"
        )[0][0]
        mails = [email.message_from_bytes(path.read_bytes()) for path in (self.up.state / "mailbox").glob("*.eml")]
        # A crash after the server took a mail may repeat it, with the id by which its receiver drops the second.
        assert len({mail["Message-ID"] for mail in mails}) == sent

    def _trailers(self, name: str) -> list[str]:
        command = [
            "git",
            f"--git-dir={self.demo['audit_repository']}",
            "log",
            f"--format=%(trailers:key={name},valueonly)",
        ]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return [line for line in lines if line]
