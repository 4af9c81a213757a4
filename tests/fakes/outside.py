"""What the fake Jira and GitHub share: a server on a free port that misbehaves on demand, before or after it did its work."""

from __future__ import annotations

import http.server
import json
import threading
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.listening import Listening


class Refusal(Exception):
    """What a fake answers instead."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(str(status))
        self.status, self.body = status, body


class FakeSystem(Listening):
    """Answers `method path` by its `answer`; knows who may ask, what was asked, and which troubles are to come.

    Troubles: status (with "status", "headers"), hang, drop (does what was asked, then says nothing), slow, trickle.
    """

    def __init__(self, port: int = 0) -> None:
        self.calls: list[str] = []
        self.troubles: list[dict[str, Any]] = []
        self.lock = threading.RLock()
        handler = type("Bound", (Handler,), {"system": self})
        self.url = self.listen(handler, port)

    def misbehave(self, do: str, times: int = 1, *, only: str = "", **how: Any) -> None:
        """`only`: what the call has to begin with, such as "POST /rest"."""
        self.troubles += [{"do": do, "only": only, **how} for _ in range(times)]

    def trouble_for(self, call: str) -> dict[str, Any]:
        with self.lock:
            for trouble in self.troubles:
                if call.startswith(trouble["only"]):
                    self.troubles.remove(trouble)
                    return trouble
        return {}

    def count(self, call: str) -> int:
        return sum(each.startswith(call) for each in self.calls)

    def page(self) -> str:
        """What people see there."""
        return ""

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> tuple[int, Any]:
        raise Refusal(404, {"message": "Not Found"})


class Handler(http.server.BaseHTTPRequestHandler):
    """One request to a fake system."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    system: FakeSystem

    def log_message(self, *arguments: Any) -> None:
        """Keeps quiet."""

    def do_GET(self) -> None:
        if self.path == "/" and (page := self.system.page()):
            return self.reply(200, page.encode(), "text/html; charset=utf-8")
        self.take()

    def do_POST(self) -> None:
        self.take()

    def do_PUT(self) -> None:
        self.take()

    def do_PATCH(self) -> None:
        self.take()

    def take(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        call = f"{self.command} {parts.path}"
        self.system.calls.append(call)
        trouble = self.system.trouble_for(call)
        do = trouble.get("do")
        if do == "status":
            extra = {str(name): str(value) for name, value in trouble.get("headers", {}).items()}
            told = json.dumps({"message": "trouble"}).encode()
            return self.reply(trouble["status"], told, **extra)
        if do == "hang":
            self.system.release.wait(30)
            self.close_connection = True
            return None
        if do == "slow":
            time.sleep(0.2)
        try:
            with self.system.lock:
                status, found = self.system.answer(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query)),
                    json.loads(raw) if raw else None,
                    self.headers,
                )
        except Refusal as refusal:
            status, found = refusal.status, refusal.body
        if do == "drop":
            self.close_connection = True
            self.connection.close()
            return None
        return self.reply(status, b"" if found is None else json.dumps(found).encode())

    def reply(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
