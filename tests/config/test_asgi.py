"""The root application: request bodies reach Django whatever kind of awaitable the server's receive gives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

BODY = b"login=devops%40example.com&password=wrong"
SCOPE = {
    "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
    "path": "/accounts/login/", "raw_path": b"/accounts/login/", "query_string": b"", "root_path": "",
    "headers": [
        (b"cookie", b"csrftoken=" + b"x" * 32), (b"host", b"localhost"), (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-length", str(len(BODY)).encode()),
    ],
    "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
}  # fmt: skip


def as_coroutine(message: dict[str, Any]) -> Awaitable[dict[str, Any]]:
    async def given() -> dict[str, Any]:
        return message

    return given()


def as_future(message: dict[str, Any]) -> Awaitable[dict[str, Any]]:
    """What granian does."""
    future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    future.set_result(message)
    return future


@pytest.mark.parametrize("give", [as_coroutine, as_future])
def test_a_posted_form_is_read(give: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    from config.asgi import application

    parts = [BODY[:10], BODY[10:]]
    sent: list[dict[str, Any]] = []

    def receive() -> Awaitable[dict[str, Any]]:
        body = parts.pop(0)
        return give({"type": "http.request", "body": body, "more_body": bool(parts)})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(application(SCOPE, receive, send))
    assert sent[0]["status"] == 403  # read for its CSRF token, and refused because it has none
    assert not parts
