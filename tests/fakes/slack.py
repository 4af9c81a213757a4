"""A fake Slack, also its own process: `python -m tests.fakes.slack --port P --token T --secret S --app URL`.

It speaks the part of the Web API that is used, checks tokens, arguments and the limits of Block Kit, and has a page with the
channel's messages whose buttons, forms and commands call the app back, signed. POST /_misbehave {"do": ..., "times": n}:
status (with "status", "retry_after"), error ("error"), hang, drop (does what was asked, then says nothing), slow.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import http.server
import json
import os
import secrets
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from events.slack.signatures import SIGNATURE_HEADER, TIME_HEADER, sign
from tests.fakes.listening import Listening

TEAM = "T0STAGEPASS"
PEOPLE = {"U0PIERRE": "Pierre Durand", "U0JEAN": "Jean Dupont", "U0CLAIRE": "Claire Martin", "U0VICTOR": "Victor Noël"}
CHANNELS = {"C0RELEASES": "releases", "C0OTHER": "other"}
TYPES = {"header", "section", "context", "actions", "divider"}


class Slack(Listening):
    """What Slack knows: messages, open forms, what it has said to whom alone."""

    def __init__(self, token: str, secret: str, app: str, port: int = 0) -> None:
        self.token, self.secret, self.app = token, secret, app
        self.messages: dict[str, dict[str, Any]] = {}
        self.whispers: list[dict[str, Any]] = []
        self.views: dict[str, dict[str, Any]] = {}
        self.triggers: dict[str, dict[str, Any]] = {}
        self.troubles: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.archived: set[str] = set()
        self.post_to_app: Callable[[str, bytes, dict[str, str]], int] | None = None
        self.lock = threading.RLock()
        handler = type("Bound", (Handler,), {"slack": self})
        self.url = self.listen(handler, port) + "/"

    def misbehave(self, do: str, times: int = 1, **how: Any) -> None:
        self.troubles += [{"do": do, **how} for _ in range(times)]

    # The Web API

    def api(self, method: str, given: dict[str, Any], token: str) -> dict[str, Any]:
        """What the method answers."""
        if token != self.token:
            return {"ok": False, "error": "invalid_auth" if token else "not_authed"}
        known = {
            "chat.postMessage": self.post, "chat.update": self.update, "chat.postEphemeral": self.whisper,
            "views.open": self.open_view, "conversations.history": self.history, "auth.test": self.who,
        }  # fmt: skip
        with self.lock:
            return known[method](given) if method in known else {"ok": False, "error": "unknown_method"}

    def who(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "team_id": TEAM, "user_id": "U0BOT"}

    def place_of(self, given: dict[str, Any]) -> str:
        wanted = str(given.get("channel", "")).removeprefix("#")
        if wanted in PEOPLE:  # a message to this person alone
            return f"D{wanted[1:]}"
        return next((key for key, name in CHANNELS.items() if wanted in {key, name}), "")

    def refuse(self, given: dict[str, Any]) -> str:
        place = self.place_of(given)
        if not place:
            return "channel_not_found"
        if place in self.archived:
            return "is_archived"
        if not given.get("text") and not given.get("blocks"):
            return "no_text"
        return "" if blocks_are_valid(given.get("blocks") or []) else "invalid_blocks"

    def post(self, given: dict[str, Any]) -> dict[str, Any]:
        if error := self.refuse(given):
            return {"ok": False, "error": error}
        ts = f"{time.time():.6f}"
        while ts in self.messages:
            ts = f"{float(ts) + 0.000001:.6f}"
        self.messages[ts] = {**given, "channel": self.place_of(given), "ts": ts, "updates": 0}
        return {"ok": True, "channel": self.place_of(given), "ts": ts}

    def update(self, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("channel") not in CHANNELS:  # as Slack: an id, no name
            return {"ok": False, "error": "channel_not_found"}
        if error := self.refuse(given):
            return {"ok": False, "error": error}
        message = self.messages.get(str(given.get("ts")))
        if message is None:
            return {"ok": False, "error": "message_not_found"}
        message |= {"text": given.get("text", ""), "blocks": given.get("blocks", []), "updates": message["updates"] + 1}
        return {"ok": True, "channel": message["channel"], "ts": message["ts"]}

    def whisper(self, given: dict[str, Any]) -> dict[str, Any]:
        self.whispers.append({"user": given.get("user"), "text": given.get("text", "")})
        return {"ok": True, "message_ts": f"{time.time():.6f}"}

    def history(self, given: dict[str, Any]) -> dict[str, Any]:
        place = self.place_of(given)
        found = [each for each in self.messages.values() if each["channel"] == place]
        found.sort(key=lambda each: each["ts"], reverse=True)
        return {"ok": True, "channel": place, "messages": found[: int(given.get("limit", 100))]}

    def open_view(self, given: dict[str, Any]) -> dict[str, Any]:
        trigger = self.triggers.pop(str(given.get("trigger_id")), None)
        if trigger is None:
            return {"ok": False, "error": "invalid_trigger_id"}
        if time.monotonic() - trigger["at"] > 3:
            return {"ok": False, "error": "expired_trigger_id"}
        view = given["view"]
        if len(view["title"]["text"]) > 24:
            return {"ok": False, "error": "invalid_arguments"}
        key = f"V{secrets.token_hex(5).upper()}"
        self.views[key] = {**view, "id": key, "user": trigger["user"]}
        return {"ok": True, "view": self.views[key]}

    # What people do

    def click(self, ts: str, action: str, user: str = "U0JEAN", **changes: Any) -> int:
        """Press a button of a message; the status that the app answers."""
        message = self.messages[ts]
        block = next(each for each in message["blocks"] if each["type"] == "actions")
        button = next(each for each in block["elements"] if each["action_id"] == action)
        trigger = secrets.token_hex(8)
        self.triggers[trigger] = {"user": user, "at": time.monotonic()}
        pressed = {
            "block_id": block["block_id"],
            "action_id": action,
            "type": "button",
            "value": button.get("value", ""),
        }
        payload = {
            "type": "block_actions", "team": {"id": TEAM}, "user": {"id": user}, "trigger_id": trigger,
            "channel": {"id": message["channel"]}, "message": {"ts": ts}, "actions": [pressed | changes],
            "response_url": f"{self.url}response/{user}",
        }  # fmt: skip
        return self.send("actions", {"payload": json.dumps(payload)})

    def submit(self, key: str, **fields: str) -> int:
        """Send a form that is open."""
        view = self.views.pop(key)
        values = {
            block["block_id"]: {block["element"]["action_id"]: {"type": "plain_text_input", "value": fields.get(block["element"]["action_id"], "")}}
            for block in view["blocks"] if block["type"] == "input"
        }  # fmt: skip
        payload = {
            "type": "view_submission", "team": {"id": TEAM}, "user": {"id": view["user"]},
            "view": {**view, "state": {"values": values}},
        }  # fmt: skip
        return self.send("actions", {"payload": json.dumps(payload)})

    def command(self, text: str, user: str = "U0JEAN") -> int:
        """Type /stagepass and a text."""
        form = {
            "command": "/stagepass", "text": text, "team_id": TEAM, "user_id": user, "channel_id": "C0RELEASES",
            "response_url": f"{self.url}response/{user}", "trigger_id": secrets.token_hex(8),
        }  # fmt: skip
        return self.send("commands", form)

    def send(self, where: str, form: dict[str, str]) -> int:
        body = urllib.parse.urlencode(form).encode()
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded", TIME_HEADER: timestamp,
            SIGNATURE_HEADER: sign(self.secret, timestamp, body),
        }  # fmt: skip
        if self.post_to_app is not None:
            return self.post_to_app(where, body, headers)
        request = urllib.request.Request(f"{self.app}/webhooks/slack/{where}", body, headers)
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=3) as answer:
            return int(answer.status)
        return 0


def blocks_are_valid(blocks: list[dict[str, Any]]) -> bool:
    """The limits of Block Kit that matter here."""
    if len(blocks) > 50 or any(block.get("type") not in TYPES for block in blocks):
        return False
    for block in blocks:
        if block["type"] == "header" and not 0 < len(block["text"]["text"]) <= 150:
            return False
        if block["type"] == "section":
            texts = [block["text"]["text"]] if "text" in block else []
            if any(not text or len(text) > 3000 for text in texts) or not (texts or block.get("fields")):
                return False
            if len(block.get("fields", [])) > 10 or any(len(f["text"]) > 2000 for f in block.get("fields", [])):
                return False
        if block["type"] == "actions" and not all(_button_is_valid(each) for each in block["elements"]):
            return False
    return True


def _button_is_valid(button: dict[str, Any]) -> bool:
    confirm = button.get("confirm")
    fits = len(button["text"]["text"]) <= 75 and len(button.get("value", "")) <= 2000
    return fits and (not confirm or (len(confirm["title"]["text"]) <= 100 and len(confirm["text"]["text"]) <= 300))


class Handler(http.server.BaseHTTPRequestHandler):
    """One request to the fake Slack."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    slack: Slack

    def log_message(self, *arguments: Any) -> None:
        """Keeps quiet."""

    def answer(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def given(self) -> dict[str, Any]:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "json" in self.headers.get("Content-Type", ""):
            found: dict[str, Any] = json.loads(body or b"{}")
            return found
        return dict(urllib.parse.parse_qsl(body.decode()))

    def do_GET(self) -> None:
        if self.path == "/_state":
            state = {
                "messages": list(self.slack.messages.values()),
                "whispers": self.slack.whispers,
                "views": self.slack.views,
            }
            return self.answer(200, json.dumps(state).encode())
        from tests.fakes.slack_page import page

        self.answer(200, page(self.slack, self.path).encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:
        given = self.given()
        if self.path == "/_misbehave":
            self.slack.misbehave(**given)
            return self.answer(200, b"{}")
        if self.path.startswith("/response/"):
            self.slack.whispers.append({"user": self.path.rpartition("/")[2], "text": given.get("text", "")})
            return self.answer(200, b"ok", "text/plain")
        if self.path.startswith("/_do/"):
            return self.act(self.path.removeprefix("/_do/"), given)
        method = self.path.removeprefix("/api/")
        self.slack.calls.append(method)
        self.call(method, given)

    def call(self, method: str, given: dict[str, Any]) -> None:
        trouble = self.slack.troubles.pop(0) if self.slack.troubles else {}
        do = trouble.get("do")
        if do == "status":
            body = json.dumps({"ok": False, "error": "ratelimited" if trouble["status"] == 429 else "internal_error"})
            extra = {"Retry_After": str(trouble["retry_after"])} if "retry_after" in trouble else {}
            return self.answer(trouble["status"], body.encode(), **extra)
        if do == "error":
            return self.answer(200, json.dumps({"ok": False, "error": trouble["error"]}).encode())
        if do == "hang":
            self.slack.release.wait(60)
            self.close_connection = True
            return None
        if do == "slow":
            time.sleep(0.3)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        done = self.slack.api(method, given, token)
        if do == "drop":
            self.close_connection = True
            self.connection.close()
            return None
        return self.answer(200, json.dumps(done).encode())

    def act(self, what: str, given: dict[str, Any]) -> None:
        """What somebody does on the page."""
        user = html.unescape(given.get("user", "U0JEAN"))
        if what == "click":
            status = self.slack.click(given["ts"], given["action"], user)
        elif what == "submit":
            status = self.slack.submit(given["view"], reason=given.get("reason", ""))
        else:
            status = self.slack.command(given.get("text", ""), user)
        if "json" in self.headers.get("Accept", ""):
            return self.answer(200, json.dumps({"status": status}).encode())
        self.answer(303, b"", Location=f"/?user={user}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--token", default=os.environ.get("SLACK_TOKEN"))
    parser.add_argument("--secret", default=os.environ.get("SLACK_SIGNING_SECRETS"))
    parser.add_argument("--app", required=True)
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    slack = Slack(chosen.token, chosen.secret, chosen.app, chosen.port)
    print(f"Playing Slack on {slack.url}", flush=True)
    slack.server.serve_forever()
