"""A receiver of webhooks that checks signatures as Standard Webhooks says, and misbehaves on demand."""

from __future__ import annotations

import http.server
import json
import time
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tests.fakes.listening import Listening


class Receiver(Listening):
    """Listens on a free port; `behaviour` is a status to answer, or hang, drop, trickle, redirect, slow."""

    def __init__(self) -> None:
        self.secret = ""
        self.behaviour: int | str = 200
        self.headers: dict[str, str] = {}
        self.verified: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.forged = 0
        self.calls = 0
        self.connections = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One connection to the receiver."""

            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def log_message(self, *arguments: Any) -> None:
                """Keeps quiet."""

            def do_POST(self) -> None:
                receiver.take(self)

        self.url = self.listen(Handler) + "/hook"

    def take(self, handler: Any) -> None:
        self.calls += 1
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        behaviour = self.behaviour
        if behaviour == "slow":
            time.sleep(0.2)
        if behaviour == "hang":
            self.release.wait(30)
            handler.close_connection = True
            return
        if behaviour == "trickle":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.release.wait(0.1):
                handler.wfile.write(b"X")
            return
        if self.secret:
            self.check(body, dict(handler.headers))
        if behaviour == "drop":  # it has taken it, and says nothing
            handler.close_connection = True
            handler.connection.close()
            return
        status = 302 if behaviour == "redirect" else behaviour if isinstance(behaviour, int) else 200
        handler.send_response(status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def check(self, body: bytes, headers: dict[str, str]) -> None:
        lower = {name.lower(): value for name, value in headers.items()}
        self.ids.append(lower.get("webhook-id", ""))
        try:
            Webhook(self.secret).verify(body, lower)
            self.verified.append(json.loads(body))
        except WebhookVerificationError:
            self.forged += 1
