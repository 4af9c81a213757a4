"""A small OpenID Connect provider: discovery, a log-in page of its own, codes that work once, tokens, who someone is."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import json
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT, SECRET = "stagepass", "between-us"


class Provider:
    """Knows one person; `behaviour` is refuse (the person says no) or broken (no tokens are given) or empty."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.person: dict[str, Any] = {"sub": "4711", "email": "new.person@example.com", "name": "New Person"}
        self.behaviour = ""
        self.asked: list[dict[str, str]] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: set[str] = set()

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        }

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """A token for a code, once, to the client that proves itself and the code."""
        given = self.codes.pop(form.get("code", ""), None)
        basic = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        known = authorization == basic or (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        if self.behaviour == "broken":
            return 500, {"error": "server_error"}
        if given is None or not known or given["redirect_uri"] != form.get("redirect_uri") or not _proven(given, form):
            return 400, {"error": "invalid_grant"}
        token = secrets.token_urlsafe()
        self.tokens.add(token)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 300}


def _proven(given: dict[str, str], form: dict[str, str]) -> bool:
    """By PKCE, where the request asked for it."""
    if "code_challenge" not in given:
        return True
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") == given["code_challenge"]


@contextlib.contextmanager
def running_provider() -> Iterator[Provider]:
    """The provider on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    provider = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    server.provider = provider  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()


class _Pages(BaseHTTPRequestHandler):
    @property
    def provider(self) -> Provider:
        return self.server.provider  # type: ignore[attr-defined,no-any-return]

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, _words(urlsplit(self.path).query)
        if path == "/.well-known/openid-configuration":
            self._json(200, self.provider.discovery())
        elif path == "/authorize":
            self._authorize(query)
        elif path == "/userinfo":
            known = self.headers.get("Authorization", "").removeprefix("Bearer ") in self.provider.tokens
            self._json(200 if known else 401, self.provider.person if known else {"error": "invalid_token"})
        else:
            self._json(404, {"error": "not_found"})

    def do_POST(self) -> None:
        form = _words(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        if urlsplit(self.path).path == "/token":
            self._json(*self.provider.redeem(form, self.headers.get("Authorization", "")))
        else:
            self._json(404, {"error": "not_found"})

    def _authorize(self, query: dict[str, str]) -> None:
        """A page with one link that says yes, or no."""
        self.provider.asked.append(query)
        if query.get("client_id") != CLIENT or query.get("response_type") != "code" or "openid" not in query["scope"]:
            self._json(400, {"error": "unauthorized_client"})
            return
        code = secrets.token_urlsafe()
        self.provider.codes[code] = query
        answer = {"error": "access_denied"} if self.provider.behaviour == "refuse" else {"code": code}
        target = f"{query['redirect_uri']}?{urlencode({**answer, 'state': query['state']})}"
        page = (
            f'<!doctype html><title>Provider</title><h1>Provider</h1><a href="{html.escape(target)}">Yes, it is me</a>'
        )
        self._send(200, "text/html", page.encode())

    def _json(self, status: int, body: Any) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def _words(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}
