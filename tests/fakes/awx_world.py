"""What is inside the fake AWX: templates, and jobs that run, print, end and call back."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
import time
import urllib.request
import uuid
from typing import Any

ACTIVE = {"new", "pending", "waiting", "running"}


def template(number: int, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "type": "job_template",
        "url": f"/api/v2/job_templates/{number}/",
        "name": name,
        "playbook": "deploy.yml",
        "ask_variables_on_launch": True,
        "ask_limit_on_launch": True,
        "survey_enabled": False,
        "variables_needed_to_start": [],
        "passwords_needed_to_start": [],
        "may_start": True,
    } | changes


TEMPLATES = [
    template(7, "Deploy to production"),
    template(8, "Drops variables", ask_variables_on_launch=False),
    template(9, "Wants a change number", survey_enabled=True, variables_needed_to_start=["change_number"]),
    template(10, "Drops the limit", ask_limit_on_launch=False),
    template(11, "May be seen only", may_start=False),
    template(12, "Asks for a password", passwords_needed_to_start=["ssh_password"]),
    template(13, "Twin"),
    template(14, "Twin"),
]


def stamp(moment: dt.datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None


def utcnow() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Job:
    """A job as AWX keeps it."""

    def __init__(
        self, number: int, of: dict[str, Any], extra_vars: dict[str, Any], limit: str, launch_type: str
    ) -> None:
        self.number, self.template, self.extra_vars, self.limit = number, of, extra_vars, limit
        self.launch_type = launch_type
        self.status = "pending"
        self.created, self.born = utcnow(), time.monotonic()
        self.started: dt.datetime | None = None
        self.finished: dt.datetime | None = None
        self.explanation = ""
        self.artifacts: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.all_events = True
        self.cancel = threading.Event()

    def add(self, event: str, stdout: str = "", **fields: Any) -> None:
        self.events.append(
            {
                "id": self.number * 100_000 + len(self.events) + 1,
                "type": "job_event",
                "counter": len(self.events) + 1,
                "event": event,
                "event_display": event,
                "event_data": {},
                "failed": False,
                "changed": False,
                "uuid": str(uuid.uuid4()),
                "host_name": "",
                "task": "",
                "play": "Deploy",
                "playbook": self.template["playbook"],
                "stdout": stdout,
                "job": self.number,
            }
            | fields
        )

    def stdout(self) -> str:
        return "".join(event["stdout"] + "\n" for event in self.events if event["stdout"])

    def as_json(self) -> dict[str, Any]:
        url = f"/api/v2/jobs/{self.number}/"
        elapsed = (self.finished or utcnow()) - self.started if self.started else dt.timedelta()
        related = ("stdout", "cancel", "relaunch", "job_events", "notifications")
        return {
            "id": self.number,
            "type": "job",
            "url": url,
            "related": {name: f"{url}{name}/" for name in related},
            "created": stamp(self.created),
            "name": self.template["name"],
            "unified_job_template": self.template["id"],
            "job_template": self.template["id"],
            "launch_type": self.launch_type,
            "status": self.status,
            "failed": self.status in {"failed", "error", "canceled"},
            "started": stamp(self.started),
            "finished": stamp(self.finished),
            "canceled_on": stamp(self.finished) if self.status == "canceled" else None,
            "elapsed": round(elapsed.total_seconds(), 3),
            "job_explanation": self.explanation,
            "execution_node": "awx-1",
            "result_traceback": "",
            "event_processing_finished": self.all_events and self.finished is not None,
            "inventory": 1,
            "project": 3,
            "playbook": self.template["playbook"],
            "limit": self.limit,
            "extra_vars": json.dumps(self.extra_vars),
            "artifacts": self.artifacts,
            "scm_revision": "",
            "diff_mode": False,
        }

    def notification(self) -> dict[str, Any]:
        """The default body of AWX's webhook notification (`{{ job_metadata }}`)."""
        counts = {"failed": self.status != "successful", "changed": 1, "dark": 0, "failures": 0, "ok": 3}
        return {
            "id": self.number,
            "name": self.template["name"],
            "url": f"https://awx.example.com/#/jobs/playbook/{self.number}",
            "created_by": "stagepass",
            "started": stamp(self.started),
            "finished": stamp(self.finished),
            "status": self.status,
            "traceback": "",
            "inventory": "production",
            "project": "deployments",
            "playbook": self.template["playbook"],
            "credential": None,
            "limit": self.limit,
            "extra_vars": json.dumps(self.extra_vars),
            "hosts": {"web-1": counts | {"processed": 1, "skipped": 0, "rescued": 0, "ignored": 0}},
        }

    def seed_body(self) -> dict[str, Any]:
        """The smaller body that a custom notification template can send."""
        return {
            "job_id": self.number,
            "status": self.status,
            "extra_vars": self.extra_vars,
            "result_stdout": self.stdout()[-1000:],
        }


class World:
    """All state of one fake AWX; `quirks` say how it misbehaves (see awx.py)."""

    def __init__(self, token: str, webhook_url: str, webhook_secret: str, seconds: float) -> None:
        self.tokens = {token}
        self.webhook_url, self.webhook_secret, self.seconds = webhook_url, webhook_secret, seconds
        self.lock = threading.RLock()
        self.templates = {entry["id"]: entry for entry in TEMPLATES}
        self.jobs: dict[int, Job] = {}
        self.quirks: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.sent: list[dict[str, Any]] = []

    def quirk(self, do: str, **matching: str) -> dict[str, Any] | None:
        """Take one use of the first quirk of this kind that matches, if there is one."""
        with self.lock:
            for quirk in self.quirks:
                fits = all(quirk.get(name, "") in value for name, value in matching.items())
                if quirk["do"] == do and fits and quirk["times"] != 0:
                    quirk["times"] -= 1
                    return quirk
        return None

    def launch(self, of: dict[str, Any], extra_vars: dict[str, Any], limit: str, kind: str = "manual") -> Job:
        with self.lock:
            job = Job(len(self.jobs) + 1, of, extra_vars, limit, kind)
            self.jobs[job.number] = job
        threading.Thread(target=self.run, args=[job], daemon=True).start()
        return job

    def run(self, job: Job) -> None:
        """pending, waiting, running, printing, and the end."""
        quirk = self.quirk("job") or {}
        seconds = float(quirk.get("seconds", self.seconds))
        for job.status in ("waiting", "running"):
            if job.cancel.wait(min(seconds * 0.1, 0.1)):
                return self.end(job, "canceled")
        job.started = utcnow()
        if quirk.get("forge_callback"):
            self.send({**job.notification(), "status": "successful"})
        elif not quirk.get("no_callback"):
            self.send(job.notification())
        if self.print_play(job, seconds * 0.8, quirk):
            return self.end(job, "canceled")
        broken = "broken" in str(job.extra_vars.get("version"))
        status = quirk.get("status", "failed" if broken else "successful")
        if status == "failed":
            self.print_failure(job)
        job.add("playbook_on_stats", "\r\nPLAY RECAP *****\r\nweb-1 : ok=3 changed=1 unreachable=0 failed=0")
        if status == "successful":
            job.artifacts = {"deployed_version": job.extra_vars.get("version")}
        job.explanation = quirk.get("explanation", "")
        return self.end(job, status, quirk)

    def print_play(self, job: Job, seconds: float, quirk: dict[str, Any]) -> bool:
        """Print the tasks over some time; whether the job was canceled meanwhile."""
        values = job.extra_vars
        name, version = values.get("target_name"), values.get("version")
        tasks = ["Fetch the artifact", "Unpack it", "Switch over", "Check its health"]
        job.add("playbook_on_start")
        job.add("playbook_on_play_start", "\r\nPLAY [Deploy] *****")
        for task in tasks:
            if job.cancel.wait(seconds / len(tasks)):
                return True
            job.add("playbook_on_task_start", f"\r\nTASK [{task}] *****", task=task)
            job.add("runner_on_start", task=task, host_name="web-1")
            job.add("runner_on_ok", f"\x1b[0;32mok: [web-1] => {name} {version}\x1b[0m", task=task, host_name="web-1")
        for number in range(int(quirk.get("huge_stdout", 0))):
            job.add("verbose", f"{number:06} " + "x" * int(quirk.get("width", 1000)))
        return False

    @staticmethod
    def print_failure(job: Job) -> None:
        message = f"{job.extra_vars.get('version')} is not healthy"
        job.add(
            "runner_on_failed", f'\x1b[0;31mfatal: [web-1]: FAILED! => {{"msg": "{message}"}}\x1b[0m', failed=True,
            task="Check its health", host_name="web-1", event_data={"res": {"msg": message}},
        )  # fmt: skip

    def end(self, job: Job, status: str, quirk: dict[str, Any] | None = None) -> None:
        quirk = quirk or {}
        if lag := float(quirk.get("events_late", 0)):
            job.all_events, late = False, job.events[5:]
            del job.events[5:]
            threading.Timer(lag, lambda: (job.events.extend(late), setattr(job, "all_events", True))).start()
        job.finished, job.status = utcnow(), status
        self.call_back(job, quirk)

    def call_back(self, job: Job, quirk: dict[str, Any]) -> None:
        """AWX tells each event once and never again; the quirk makes it lose, delay, repeat or disorder that."""
        if quirk.get("no_callback"):
            return
        time.sleep(float(quirk.get("callback_late", 0)))
        body = job.seed_body() if quirk.get("seed_body") else job.notification()
        for _ in range(int(quirk.get("callbacks", 1))):
            self.send(body)
        if quirk.get("disorder"):
            self.send({**body, "status": "failed"})
            self.send({**body, "status": "running", "finished": None})

    def send(self, body: dict[str, Any]) -> None:
        with self.lock:
            self.sent.append(body)
        if not self.webhook_url:
            return
        request = urllib.request.Request(
            self.webhook_url,
            data=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "User-Agent": "AWX 24.6.1 (open)",
                "X-Stagepass-Secret": self.webhook_secret,
            },
        )
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=10).close()
