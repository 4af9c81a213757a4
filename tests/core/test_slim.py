"""Programs get the same answers as everyone, with less on the way: compared with what all middleware would have said."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application

from accounts.services import issue_token
from config.wsgi import application
from core.slim import is_from_program

pytestmark = pytest.mark.django_db(transaction=True)

SAME = ("Content-Type", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
        "Permissions-Policy", "WWW-Authenticate", "Content-Length", "Allow")  # fmt: skip


def ask(app: Any, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[str, dict[str, str], bytes]:
    started: list[Any] = []
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "SCRIPT_NAME": "", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json", "wsgi.input": io.BytesIO(body), "wsgi.url_scheme": "http", "wsgi.errors": None,
        "HTTP_HOST": "localhost",
    } | {f"HTTP_{name.upper()}": value for name, value in headers.items()}  # fmt: skip
    response = app(environ, lambda status, headers: started.extend([status, dict(headers)]))
    return started[0], started[1], b"".join(response)


@pytest.fixture
def bearer(devops, tenant) -> str:
    return f"Bearer {issue_token(user=devops, name='tests', scopes=['events:read', 'tickets:read'])[1]}"


@pytest.fixture
def whole() -> WSGIHandler:
    return get_wsgi_application()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1alpha1/events/list", "200 OK"),
        ("POST", "/api/v1alpha1/event", "403 Forbidden"),
        ("GET", "/api/v1alpha1/nothing", "404 Not Found"),
        ("GET", "/v1/tickets", "200 OK"),
        ("GET", "/v1/nothing", "404 Not Found"),
        ("DELETE", "/v1/me", "405 Method Not Allowed"),
        ("POST", "/webhooks/github/nowhere", "404 Not Found"),
    ],
)
def test_a_program_gets_the_answer_that_everyone_would_get(method, path, status, bearer, whole):
    slim = ask(application, method, path, b"{}", authorization=bearer)
    full = ask(whole, method, path, b"{}", authorization=bearer)
    assert (slim[0], slim[2]) == (full[0], full[2])
    assert slim[0] == status
    assert {name: slim[1].get(name) for name in SAME} == {name: full[1].get(name) for name in SAME}
    assert slim[1]["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "Set-Cookie" not in slim[1]
    assert len(slim[1]["X-Request-ID"]) == 32


def test_strange_hosts_are_refused_here_too(bearer, settings):
    settings.ALLOWED_HOSTS = ["localhost"]
    assert ask(application, "GET", "/v1/me", host="evil.example", authorization=bearer)[0] == "400 Bad Request"


def test_a_session_counts_where_it_did_and_needs_its_csrf_token(cpi, tenant):
    session = SessionStore()
    session["_auth_user_id"] = str(cpi.pk)
    session["_auth_user_backend"] = settings.AUTHENTICATION_BACKENDS[0]
    session["_auth_user_hash"] = cpi.get_session_auth_hash()
    session.save()
    cookie = f"{settings.SESSION_COOKIE_NAME}={session.session_key}"
    status, _, body = ask(application, "GET", "/v1/me", cookie=cookie)
    assert (status, cpi.email in body.decode()) == ("200 OK", True)
    status, _, body = ask(application, "POST", "/v1/tickets", b"{}", cookie=cookie)
    assert (status, b"CSRF" in body) == ("403 Forbidden", True)
    asked = application, "GET", "/api/v1alpha1/events/list"
    assert ask(*asked, cookie=cookie)[::2] == ask(*asked)[::2]
    # A token that is no good is refused, whoever else the browser is signed in as.
    assert ask(application, "GET", "/v1/me", cookie=cookie, authorization="Bearer sp_wrong")[0] == "401 Unauthorized"


@pytest.mark.parametrize(
    ("path", "authorization", "program"),
    [
        ("/v1/me", "Bearer x", True), ("/v1/me", "bearer x", True), ("/v1/me", "", False), ("/v1/me", "Basic x", False),
        ("/api/v1alpha1/event", "", True), ("/webhooks/awx/", "", True), ("/tickets/", "Bearer x", False),
        ("/admin/", "Bearer x", False), ("/v1", "Bearer x", False),
    ],
)  # fmt: skip
def test_only_addresses_that_look_at_no_session_are_taken_for_a_programs(path, authorization, program):
    assert is_from_program({"PATH_INFO": path, "HTTP_AUTHORIZATION": authorization}) is program
