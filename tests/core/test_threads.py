"""Django behind the asynchronous server: what reaches it, what comes back, and who has to wait for whom."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from django.http import HttpResponse, StreamingHttpResponse

from accounts.services import issue_token
from config.asgi import DJANGO_THREADS
from core.threads import IN_MEMORY, LONGEST, InThreads, environ_of
from tests.events.live.conftest import Server, run_server

EVENT = {"title": "Deploy", "attributes": {"service": "payment", "type": 1}}


def scope(**changes: Any) -> dict[str, Any]:
    plain = {
        "type": "http", "method": "GET", "path": "/", "query_string": b"", "http_version": "1.1", "headers": [],
        "client": ("10.0.0.9", 4711), "server": ("stagepass.example", 443), "scheme": "https",
    }  # fmt: skip
    return plain | changes


def carry_out(django: Any, *received: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    """What the server is told to send when it received these messages."""
    sent, waiting = [], list(received or ({"type": "http.request", "body": b""},))

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(InThreads(django, 1)(scope(**changes), receive, send))
    return sent


def echo(environ: dict[str, Any], start_response: Any) -> HttpResponse:
    """Says how much it was told there is and how much there was."""
    body = environ["wsgi.input"].read()
    response = HttpResponse(f"{environ['CONTENT_LENGTH']} {len(body)}")
    start_response("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return response


def pieces(*bodies: bytes) -> list[dict[str, Any]]:
    return [
        {"type": "http.request", "body": body, "more_body": number < len(bodies)}
        for number, body in enumerate(bodies, start=1)
    ]


def test_the_environment_is_what_pep_3333_says():
    headers = [
        (b"content-type", b"application/json"), (b"x-tenant", b"a"), (b"x-tenant", b"b"),
        (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x_tenant", b"forged"), (b"content-length", b"5"),
    ]  # fmt: skip
    environ = environ_of(
        scope(path="/für/☂", query_string=b"q=%C3%BC", headers=headers, method="POST"), io.BytesIO(b"hello"), 5
    )
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/für/☂"
    assert (environ["QUERY_STRING"], environ["REQUEST_METHOD"]) == ("q=%C3%BC", "POST")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("application/json", "5")
    assert environ["HTTP_X_TENANT"] == "a,b"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert (environ["REMOTE_ADDR"], environ["SERVER_NAME"], environ["SERVER_PORT"]) == (
        "10.0.0.9", "stagepass.example", "443",
    )  # fmt: skip
    assert environ["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ([b""], b"0 0"),
        ([b"hello"], b"5 5"),
        ([b"hel", b"lo"], b"5 5"),
        ([b"x" * IN_MEMORY, b"y" * IN_MEMORY], b"%d %d" % (2 * IN_MEMORY, 2 * IN_MEMORY)),
    ],
)
def test_a_body_arrives_whole_and_with_its_length(given, answer):
    start, content = carry_out(echo, *pieces(*given))
    assert content["body"] == answer
    assert start["headers"] == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]


def test_what_is_too_long_for_anyone_is_not_read_and_the_view_can_tell():
    received = [*pieces(b"x" * LONGEST, b"y"), {"type": "http.request", "body": b"never read", "more_body": False}]
    received[1]["more_body"] = True
    headers = [(b"content-length", b"99999999")]
    assert carry_out(echo, *received, headers=headers)[1]["body"].startswith(b"99999999 ")
    received = [*pieces(b"x" * LONGEST, b"y"), {"type": "http.request", "body": b"never read", "more_body": False}]
    received[1]["more_body"] = True
    assert carry_out(echo, *received)[1]["body"] == b"%d %d" % (LONGEST + 1, LONGEST + 1)


def test_whoever_leaves_before_the_end_is_not_answered():
    asked = []
    sent = carry_out(lambda *given: asked.append(given), pieces(b"hel", b"lo")[0], {"type": "http.disconnect"})
    assert (sent, asked) == ([], [])


def test_a_stream_goes_out_piece_by_piece_and_is_closed_also_when_nobody_listens_any_more():
    closed = []

    def streaming(environ: dict[str, Any], start_response: Any) -> StreamingHttpResponse:
        response = StreamingHttpResponse(iter([b"one", b"two"]))
        response._resource_closers.append(lambda: closed.append(True))
        start_response("200 OK", [])
        return response

    sent = carry_out(streaming)
    assert [message.get("body") for message in sent] == [None, b"one", b"two", b""]
    assert [message.get("more_body") for message in sent] == [None, True, True, None]
    assert closed == [True]

    async def gone(message: Any) -> None:
        raise OSError("closed")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    with pytest.raises(OSError, match="closed"):
        asyncio.run(InThreads(streaming, 1)(scope(), receive, gone))
    assert closed == [True, True]


@pytest.fixture
def server(transactional_db) -> Iterator[Server]:
    with run_server() as running:
        yield running


@pytest.fixture
def token(devops) -> str:
    return issue_token(user=devops, name="tests", scopes=["events:read", "events:write", "tickets:write"])[1]


def test_slow_senders_keep_nobody_waiting(server):
    senders = []
    for _ in range(2 * DJANGO_THREADS):
        sender = socket.create_connection(("127.0.0.1", server.port))
        sender.sendall(b"POST /api/v1alpha1/event HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        senders.append(sender)
    time.sleep(0.3)
    assert httpx2.get(f"http://{server.host}/readyz", timeout=10).status_code in (200, 503)
    for sender in senders:
        sender.close()


def test_a_body_without_a_length_is_read_too(server, token, tenant):
    def in_pieces() -> Iterator[bytes]:
        text = json.dumps(EVENT).encode()
        yield text[:20]
        yield text[20:]

    answer = httpx2.post(
        f"http://{server.host}/api/v1alpha1/event", content=in_pieces(), headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["event"]["attributes"]["service"] == "payment"


@pytest.mark.parametrize("path", ["/api/v1alpha1/event", "/v1/tickets", "/webhooks/github/nowhere"])
def test_what_is_too_long_is_refused_by_the_face_itself(server, token, path):
    answer = httpx2.post(
        f"http://{server.host}{path}", content=b" " * (LONGEST + 1024),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"}, timeout=30,
    )  # fmt: skip
    assert answer.status_code in (404, 413), answer.text


def test_a_stream_nobody_reads_to_its_end_gives_its_thread_back(server, token, tenant):
    batch = {"events": [{**EVENT, "attributes": {**EVENT["attributes"], "message": "x" * 1000}}] * 1000}
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=f"http://{server.host}", headers=headers, timeout=30) as client:
        assert client.post("/api/v1alpha1/events/batch", json=batch).status_code == 200
        assert len(client.get("/api/v1alpha1/events/export").text.splitlines()) == 1000
    for _ in range(DJANGO_THREADS + 1):
        left = socket.create_connection(("127.0.0.1", server.port))
        left.sendall(
            f"GET /api/v1alpha1/events/export HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        assert left.recv(1000).startswith(b"HTTP/1.1 200")
        left.close()
    assert httpx2.get(f"http://{server.host}/readyz", timeout=20).status_code in (200, 503)
