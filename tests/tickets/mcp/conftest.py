"""A real server, and the official client with somebody's token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from accounts.models import User
from accounts.services import issue_token
from tests.events.live.conftest import Server, run_server

SCOPES = ("tickets:read", "tickets:write", "tickets:work")
PLAN = ["architect", "developer", "tester"]
OPEN = {
    "ticket_id": "TICKET-001",
    "project_id": "test/project",
    "title": "Implement user authentication",
    "description": "Create secure user authentication system",
    "execution_plan": PLAN,
}


class Refused(Exception):
    """A tool's refusal, as it told it."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.error = error
        self.code = error["code"]


class Caller:
    """The official client, call by call, with one token."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        answer = await self.client.call_tool(tool, arguments)
        text = answer.content[0].text  # type: ignore[union-attr]
        if answer.is_error:
            raise Refused(json.loads(text)["error"])
        return answer.structured_content


class Mcp:
    """The address of a running server, and how to speak to it."""

    def __init__(self, server: Server) -> None:
        self.url = f"http://{server.host}/mcp"
        self.site = f"http://{server.host}"

    def drive(self, story: Callable[..., Awaitable[Any]], *tokens: str, mode: str = "auto") -> Any:
        """Run `story` with a client for each token."""

        async def run() -> Any:
            async with httpx2.AsyncClient(timeout=30) as _:
                return await _with_clients(self.url, list(tokens), mode, [], story)

        return asyncio.run(run())

    def post(self, body: Any, token: str = "", **headers: str) -> httpx2.Response:
        given = {"Content-Type": "application/json", **headers}
        if token:
            given["Authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        return httpx2.post(self.url, content=content, headers=given, timeout=30)

    def call(self, token: str, tool: str, arguments: Any) -> dict[str, Any]:
        """The result of one bare call, without any client's help."""
        params = {"name": tool, "arguments": arguments}
        answer = self.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, token)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def _with_clients(
    url: str, tokens: list[str], mode: str, callers: list[Caller], story: Callable[..., Awaitable[Any]]
) -> Any:
    if not tokens:
        return await story(*callers)
    headers = {"Authorization": f"Bearer {tokens[0]}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode) as client:
            return await _with_clients(url, tokens[1:], mode, [*callers, Caller(client)], story)


def error_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The refusal in a tool's answer."""
    assert answer["result"]["isError"] is True, answer
    return json.loads(answer["result"]["content"][0]["text"])["error"]


def secret(user: User, *scopes: str) -> str:
    return issue_token(user=user, name="mcp", scopes=scopes or SCOPES)[1]


@pytest.fixture
def mcp(transactional_db, tenant) -> Iterator[Mcp]:
    with run_server() as server:
        yield Mcp(server)
