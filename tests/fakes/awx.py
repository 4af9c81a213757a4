"""A fake AWX, its own process: `python -m tests.fakes.awx --port 8052 --token T [--webhook-url U --webhook-secret S]`.

It speaks the part of AWX's API that a deployer uses (ping, tokens, job templates, launch, jobs, job events, stdout,
cancel, relaunch, notifications) and misbehaves on demand: POST /_misbehave with {"do": ..., "times": n}:

- "status" (with "status", "path", "method"): answer that status without doing anything
- "drop_before", "drop_response": break the connection before or after doing what was asked
- "slow" ("seconds"): answer late; "trickle" ("seconds"): one byte at a time; "html": a page of a gateway
- "flood" ("bytes"): a huge answer
- "ignore": a launch ignores fields ("fields": ["extra_vars"]) although the template asks for them
- "list_lag" ("seconds"): the list of jobs lags behind
- "job": how the next job goes: "seconds", "status", "explanation", "huge_stdout" lines, "events_late" seconds,
  "no_callback", "callback_late" seconds, "callbacks" n, "disorder", "forge_callback", "seed_body"

DELETE /_misbehave makes it behave again; GET /_jobs tells all jobs, how many each nonce has, requests and callbacks.
"""

from __future__ import annotations

import argparse
import base64
import collections
import contextlib
import datetime as dt
import http.server
import json
import os
import re
import secrets
import socket
import time
import urllib.parse
from typing import Any

from tests.fakes.awx_world import ACTIVE, Job, World

ANSI = re.compile(r"\x1b\[[0-9;]*m")
STDOUT_MAX_BYTES_DISPLAY = 1_048_576
KNOWN_FILTERS = {"job_template", "created__gte", "order_by", "page", "page_size", "status", "name", "counter__gt"} | {
    "event__in", "no_truncate", "format", "start_line", "end_line",
}  # fmt: skip


class Refusal(Exception):
    """An answer other than success."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class Handler(http.server.BaseHTTPRequestHandler):
    """One request to the fake AWX."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    world: World

    def log_message(self, *arguments: Any) -> None:
        """Keeps quiet."""

    def do_GET(self) -> None:
        self.handle_any("GET")

    def do_POST(self) -> None:
        self.handle_any("POST")

    def do_DELETE(self) -> None:
        self.handle_any("DELETE")

    def handle_any(self, method: str) -> None:
        parts = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        length = int(self.headers.get("Content-Length") or 0)
        try:
            self.body = json.loads(self.rfile.read(length) or b"{}")
        except ValueError:
            return self.answer(400, {"detail": "JSON parse error"})
        if parts.path.startswith("/_"):
            return self.control(method, parts.path)
        with self.world.lock:
            self.world.requests.append(f"{method} {parts.path}")
        return self.misbehave(method, parts.path)

    def misbehave(self, method: str, path: str) -> None:
        quirk, place = self.world.quirk, {"path": path, "method": method}
        if how := quirk("status", **place):
            return self.answer(int(how["status"]), {"detail": "Misbehaving as told."})
        if quirk("drop_before", **place):
            return self.hang_up()
        if quirk("html", **place):
            return self.send_bytes(200, b"<html>Welcome to the gateway</html>", "text/html")
        if how := quirk("flood", **place):
            return self.send_bytes(int(how.get("status", 200)), b"[" + b" " * int(how["bytes"]), "application/json")
        if how := quirk("slow", **place):
            time.sleep(float(how["seconds"]))
        drop, late = quirk("drop_response", **place), quirk("late_response", **place)
        trickle = quirk("trickle", **place)
        status, answer, headers = self.decide(method, path)
        if late:
            time.sleep(float(late["seconds"]))
        if drop:
            return self.hang_up()
        if trickle:
            return self.trickle(float(trickle["seconds"]))
        return self.answer(status, answer, headers)

    def decide(self, method: str, path: str) -> tuple[int, Any, dict[str, str]]:
        try:
            return self.route(method, path)
        except Refusal as refusal:
            return refusal.status, refusal.body, {}

    def route(self, method: str, path: str) -> tuple[int, Any, dict[str, str]]:
        if path == "/api/v2/ping/":
            return 200, {"ha": False, "version": "24.6.1", "active_node": "awx-1", "instances": []}, {}
        self.authenticate()
        if path in {"/api/v2/tokens/", "/api/v2/users/1/personal_tokens/"} and method == "POST":
            token = secrets.token_urlsafe(22)
            self.world.tokens.add(token)
            return 201, {"id": len(self.world.tokens), "type": "o_auth2_access_token", "token": token, **self.body}, {}
        if unknown := sorted(self.query.keys() - KNOWN_FILTERS):
            if unknown[0].startswith("extra_vars"):
                raise Refusal(403, {"detail": "Filtering on extra_vars is not allowed."})
            raise Refusal(400, {"detail": f"Job has no field named '{unknown[0]}'"})
        for pattern, action in ROUTES:
            if match := re.fullmatch("/api/v2/" + pattern, path):
                return action(self, method, *map(int, match.groups()))
        raise Refusal(404, {"detail": "Not found."})

    def authenticate(self) -> None:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        with contextlib.suppress(ValueError):
            if kind == "Basic" and base64.b64decode(value).decode() == "admin:password":
                return
        if kind != "Bearer" or value not in self.world.tokens:
            raise Refusal(
                401, {"detail": "Authentication credentials were not provided. To establish a login session..."}
            )

    # What AWX has

    def templates(self, method: str) -> tuple[int, Any, dict[str, str]]:
        found = [
            entry for entry in self.world.templates.values() if self.query.get("name", entry["name"]) == entry["name"]
        ]
        return 200, self.page(found), {}

    def template(self, method: str, number: int) -> tuple[int, Any, dict[str, str]]:
        if number not in self.world.templates:
            raise Refusal(404, {"detail": "Not found."})
        return 200, self.world.templates[number], {}

    def launch(self, method: str, number: int) -> tuple[int, Any, dict[str, str]]:
        _, template, _ = self.template(method, number)
        if method == "GET":
            shown = {key: value for key, value in template.items() if key not in {"may_start", "id", "type", "url"}}
            ready = not (template["variables_needed_to_start"] or template["passwords_needed_to_start"])
            return 200, shown | {"can_start_without_user_input": ready, "defaults": {"extra_vars": "", "limit": ""}}, {}
        if not template["may_start"]:
            raise Refusal(403, {"detail": "You do not have permission to perform this action."})
        given = self.body.get("extra_vars") or {}
        given = json.loads(given) if isinstance(given, str) else given
        missing = [name for name in template["variables_needed_to_start"] if name not in given]
        if missing:
            raise Refusal(400, {"variables_needed_to_start": [f"'{name}' value missing" for name in missing]})
        if template["passwords_needed_to_start"]:
            raise Refusal(400, {"passwords_needed_to_start": template["passwords_needed_to_start"]})
        return self.launch_with(template, given, str(self.body.get("limit") or ""))

    def launch_with(self, template: dict, given: dict, limit: str) -> tuple[int, Any, dict[str, str]]:
        ignored: dict[str, Any] = {}
        forced = (self.world.quirk("ignore") or {}).get("fields", [])
        asks = template["ask_variables_on_launch"] or template["survey_enabled"]
        if given and (not asks or "extra_vars" in forced):
            ignored["extra_vars"], given = given, {}
        if limit and (not template["ask_limit_on_launch"] or "limit" in forced):
            ignored["limit"], limit = limit, ""
        job = self.world.launch(template, given, limit)
        body = job.as_json()
        return 201, {"job": job.number, "ignored_fields": ignored, **body}, {"Location": body["url"]}

    def job_list(self, method: str) -> tuple[int, Any, dict[str, str]]:
        jobs = list(self.world.jobs.values())
        if lag := self.world.quirk("list_lag"):
            jobs = [job for job in jobs if time.monotonic() - job.born > float(lag["seconds"])]
        if wanted := self.query.get("job_template"):
            jobs = [job for job in jobs if str(job.template["id"]) == wanted]
        if since := self.query.get("created__gte"):
            jobs = [job for job in jobs if job.created >= dt.datetime.fromisoformat(since)]
        if status := self.query.get("status"):
            jobs = [job for job in jobs if job.status == status]
        jobs.sort(key=lambda job: job.number, reverse=self.query.get("order_by") == "-id")
        return 200, self.page([job.as_json() for job in jobs]), {}

    def one(self, number: int) -> Job:
        if number not in self.world.jobs:
            raise Refusal(404, {"detail": "Not found."})
        return self.world.jobs[number]

    def job(self, method: str, number: int) -> tuple[int, Any, dict[str, str]]:
        return 200, self.one(number).as_json(), {}

    def events(self, method: str, number: int) -> tuple[int, Any, dict[str, str]]:
        wanted = list(self.one(number).events)
        after = int(self.query.get("counter__gt", 0))
        wanted = [event for event in wanted if event["counter"] > after]
        if kinds := self.query.get("event__in"):
            wanted = [event for event in wanted if event["event"] in kinds.split(",")]
        return 200, self.page(sorted(wanted, key=lambda event: event["counter"])), {}

    def stdout(self, method: str, number: int) -> tuple[int, Any, dict[str, str]]:
        text, kind = self.one(number).stdout(), self.query.get("format", "json")
        size = len(text.encode())
        if size > STDOUT_MAX_BYTES_DISPLAY and not kind.endswith("_download"):
            text = (
                f"Standard Output too large to display ({size} bytes), only download supported for sizes over"
                f" {STDOUT_MAX_BYTES_DISPLAY} bytes."
            )
            if kind == "json":
                return 200, {"range": {"start": 0, "end": 1, "absolute_end": 1}, "content": text}, {}
        if kind == "json":
            lines = text.splitlines(keepends=True)
            start = int(self.query.get("start_line", 0))
            end = min(int(self.query.get("end_line", len(lines))), len(lines))
            span = {"start": start, "end": end, "absolute_end": len(lines)}
            return 200, {"range": span, "content": "".join(lines[start:end])}, {}
        return 200, ANSI.sub("", text) if kind.startswith("txt") else text, {}

    def cancel(self, method: str, number: int) -> tuple[int, Any, dict[str, str]]:
        job = self.one(number)
        if method == "GET":
            return 200, {"can_cancel": job.status in ACTIVE}, {}
        if job.status not in ACTIVE:
            raise Refusal(405, {"detail": 'Method "POST" not allowed.'})
        job.cancel.set()
        return 202, None, {}

    def relaunch(self, method: str, number: int) -> tuple[int, Any, dict[str, str]]:
        old = self.one(number)
        if old.status in ACTIVE:
            raise Refusal(400, {"detail": "Cannot relaunch because previous job is still active."})
        new = self.world.launch(old.template, old.extra_vars, old.limit, "relaunch")
        return 201, {"job": new.number, **new.as_json()}, {}

    def notifications(self, method: str, number: int) -> tuple[int, Any, dict[str, str]]:
        mine = [body for body in self.world.sent if number in (body.get("id"), body.get("job_id"))]
        entry = {"type": "notification", "notification_type": "webhook"}
        return 200, self.page([{**entry, "id": index, "body": body} for index, body in enumerate(mine, 1)]), {}

    def page(self, entries: list[Any]) -> dict[str, Any]:
        number, size = int(self.query.get("page", 1)), min(int(self.query.get("page_size", 25)), 200)
        begin, end = (number - 1) * size, number * size
        if begin and begin >= len(entries):
            raise Refusal(404, {"detail": "Invalid page."})
        following = f"{self.path}&page={number + 1}" if end < len(entries) else None
        return {"count": len(entries), "next": following, "previous": None, "results": entries[begin:end]}

    # Control and answers

    def control(self, method: str, path: str) -> None:
        world = self.world
        with world.lock:
            if path == "/_misbehave" and method == "POST":
                world.quirks.append({"times": 1, **self.body})
                return self.answer(200, {})
            if path == "/_misbehave" and method == "DELETE":
                world.quirks.clear()
                return self.answer(200, {})
            if path == "/_jobs":
                nonces = collections.Counter(str(job.extra_vars.get("nonce")) for job in world.jobs.values())
                jobs = [job.as_json() for job in world.jobs.values()]
                return self.answer(
                    200, {"jobs": jobs, "by_nonce": nonces, "requests": world.requests, "callbacks": world.sent}
                )
        return self.answer(404, {})

    def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        if isinstance(body, str):
            return self.send_bytes(status, body.encode(), "text/plain; charset=utf-8", headers)
        content = b"" if body is None else json.dumps(body).encode()
        return self.send_bytes(status, content, "application/json", headers)

    def send_bytes(self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    def trickle(self, seconds: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100_000):
                self.wfile.write(b" ")
                time.sleep(seconds)

    def hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


ROUTES = [
    (r"job_templates/", Handler.templates),
    (r"job_templates/(\d+)/", Handler.template),
    (r"job_templates/(\d+)/launch/", Handler.launch),
    (r"jobs/", Handler.job_list),
    (r"jobs/(\d+)/", Handler.job),
    (r"jobs/(\d+)/job_events/", Handler.events),
    (r"jobs/(\d+)/stdout/", Handler.stdout),
    (r"jobs/(\d+)/cancel/", Handler.cancel),
    (r"jobs/(\d+)/relaunch/", Handler.relaunch),
    (r"jobs/(\d+)/notifications/", Handler.notifications),
]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is nothing to talk about."""


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake AWX.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=os.environ.get("AWX_TOKEN") or "token")
    site = os.environ.get("STAGEPASS_URL")
    parser.add_argument("--webhook-url", default=f"{site}/webhooks/awx/job-complete" if site else "")
    parser.add_argument("--webhook-secret", default=os.environ.get("AWX_WEBHOOK_SECRETS", "").split(",")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="How long a job takes.")
    options = parser.parse_args()
    Handler.world = World(options.token, options.webhook_url, options.webhook_secret, options.seconds)
    server = Server(("127.0.0.1", options.port), Handler)
    print(f"AWX on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
