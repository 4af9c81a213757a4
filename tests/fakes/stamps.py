"""A stamp service that plays the real one for the command line, and misbehaves: away, slow to know, late, dropping answers."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "sp_good"
BASE = "/v1/iep/applications/shop"


class FakeStamps:
    """Its memory, what it was asked, and how it shall misbehave."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.production: dict[str, str] = {}
        self.stamps: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.answers: dict[str, Any] = {}
        self.trouble: list[tuple[int, dict[str, Any], dict[str, str]] | str] = []
        self.keys: dict[str, tuple[int, Any]] = {}
        self.approvals: list[str] = ["authorization_pending"]
        self.lock = threading.Lock()
        self.url = ""

    def misbehave(self, *trouble: tuple[int, dict[str, Any], dict[str, str]] | str) -> None:
        """The next answers, in this order: a status with body and headers, "drop" (done, but unsaid), "ignore" (not done)."""
        self.trouble += trouble

    def asked(self, method: str, path: str = "") -> list[Any]:
        """Bodies of the requests with this method whose path ends so."""
        return [body for verb, where, _, body in self.requests if verb == method and where.endswith(path)]

    def new_stamp(self, ticket: str, stage: str = "dev") -> dict[str, Any]:
        stamp = {
            "app": "shop", "ticket": ticket, "title": f"Title of {ticket}", "stage": stage, "revision": 1,
            "production_revision": 12, "base_revision": 12, "author": "dev@example.com",
            "updated_at": "2026-11-21T12:00:00Z", "changes": [], "conflicts": [], "git": None, "sign_off": None,
            "preview_url": f"{self.url}/apps/shop/?{stage}={ticket}", "panel_url": f"{self.url}/iep/shop/{ticket}/",
        }  # fmt: skip
        self.stamps[ticket] = stamp
        return stamp

    def files(self, ticket: str) -> dict[str, str | None]:
        return {change["path"]: change["digest"] for change in self.stamps[ticket]["changes"]}

    def handle(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> tuple[int, Any]:
        path = path.partition("?")[0]
        body = raw if "/blobs/" in path else json.loads(raw or b"{}")
        self.requests.append((method, path, headers, body))
        if path.startswith("/v1/iep/login"):
            return self.login(path)
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return problem(401, "authentication_failed", "This token is not good.")
        key = headers.get("idempotency-key", "")
        if key not in self.keys:
            answer = self.answer(method, path, headers, body)
            if not key:
                return answer
            self.keys[key] = answer
        return self.keys[key]

    def login(self, path: str) -> tuple[int, Any]:
        if path.endswith("/token"):
            code = self.approvals.pop(0) if self.approvals else ""
            done = {"secret": TOKEN, "email": "dev@example.com", "scopes": [], "expires_at": "2027-01-01T00:00:00Z"}
            return problem(400, code, "Not yet.") if code else (200, done)
        where = f"{self.url}/iep/login/"
        return 200, {
            "device_code": "d3v1ce", "user_code": "WDJB-MJHT", "verification_url": where,
            "verification_url_complete": f"{where}?code=WDJB-MJHT", "interval": 0.01, "expires_in": 30,
        }  # fmt: skip

    def answer(self, method: str, path: str, headers: dict[str, str], body: Any) -> tuple[int, Any]:
        if path in self.answers:
            return self.answers[path]
        if path == "/v1/iep/applications":
            return 200, [{"app": "shop"}]
        if path == f"{BASE}/modules":
            return 200, {"modules": [{"path": p, "digest": d, "size": 1} for p, d in self.production.items()]}
        if path == f"{BASE}/manifests":
            if len(base64.b64decode(body["signature"])) != 64:
                return problem(422, "bad_signature", "No key of shop signed exactly these bytes.")
            told = json.loads(body["document"])
            return 201, {"commit": told["commit"], "files": len(told["files"]), "key": "CI", "checks": {}}
        if path == f"{BASE}/stamps":
            return 200, list(self.stamps.values())
        if match := re.fullmatch(rf"{BASE}/blobs/(\w+)", path):
            if hashlib.sha256(body).hexdigest() != match[1]:
                return problem(400, "wrong_digest", "These bytes have another digest.")
            self.blobs[match[1]] = body
            return 201, {"digest": match[1], "size": len(body)}
        match = re.fullmatch(rf"{BASE}/stamps/([A-Z0-9-]+)(?:/(\w+))?", path)
        if not match:
            return problem(404, "not_found", "There is nothing at this address.")
        if method == "POST" and not match[2]:
            return self.stamp(match[1], body)
        if match[1] not in self.stamps:
            return problem(404, "not_found", f"{match[1]} is not known.")
        return self.move(self.stamps[match[1]], match[2], headers) if match[2] else (200, self.stamps[match[1]])

    def stamp(self, ticket: str, body: dict[str, Any]) -> tuple[int, Any]:
        for file in body["files"]:
            if content := file.get("content"):
                self.blobs[file["digest"]] = base64.b64decode(content)
        missing = [file["digest"] for file in body["files"] if file["digest"] not in self.blobs]
        if missing:
            return problem(409, "missing_blobs", "Send these first.", missing=missing)
        known = ticket in self.stamps
        stamp = self.stamps[ticket] if known else self.new_stamp(ticket)
        files = self.files(ticket)
        new = {file["path"]: file["digest"] for file in body["files"]} | dict.fromkeys(body["removed"])
        changed = sorted(path for path, digest in new.items() if files.get(path, self.production.get(path)) != digest)
        files.update({path: new[path] for path in changed})
        stamp["changes"] = [
            {"path": path, "digest": digest, "change": "modified", "size": 1} for path, digest in files.items()
        ]
        stamp["revision"] += bool(changed)
        return (200 if known else 201), {**stamp, "changed": changed, "stale": [], "stored": 0, "unchanged": 0}

    def move(self, stamp: dict[str, Any], verb: str, headers: dict[str, str]) -> tuple[int, Any]:
        if headers.get("if-match", f'"{stamp["revision"]}"') != f'"{stamp["revision"]}"':
            return problem(412, "revision_conflict", "Somebody stamped it.", revision=stamp["revision"])
        if verb == "check":
            return 200, {"verdicts": [], "conflicts": [], "next": "qa", "allowed": True}
        after = {"promote": {"dev": "qa", "qa": "prod"}.get(stamp["stage"]), "close": "closed", "reopen": "dev"}
        after["revert"] = {"prod": "qa", "qa": "dev"}.get(stamp["stage"])
        stamp["stage"] = after.get(verb) or stamp["stage"]
        return 200, {**stamp, "verdicts": []}


def problem(status: int, code: str, detail: str, **more: Any) -> tuple[int, Any]:
    return status, {"type": "about:blank", "title": detail, "status": status, "code": code, "detail": detail, **more}


@contextlib.contextmanager
def running_stamps() -> Iterator[FakeStamps]:
    """A fake service on a port of its own."""
    fake = FakeStamps()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with fake.lock:
                trouble = fake.trouble.pop(0) if fake.trouble else None
                told: dict[str, str] = {}
                if isinstance(trouble, tuple):
                    status, body, told = trouble
                elif trouble != "ignore":
                    status, body = fake.handle(self.command, self.path, headers, raw)
            if isinstance(trouble, str):
                self.close_connection = True
                return
            text = json.dumps(body).encode()
            self.send_response(status)
            kind = "application/problem+json" if status >= 400 else "application/json"
            for name, value in {"Content-Type": kind, "Content-Length": str(len(text)), **told}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_PUT = do_GET

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
