"""The official client, as the example workers and the story use it: call a tool by name, get its document."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx2
import mcp_types as protocol
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tickets.mcp.routes import PATH


class ToolRefused(Exception):
    """What a tool refused, with its stable code."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = str(error["code"])
        self.message = str(error["message"])


class Tools:
    """The tools of a running system, with one token."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer; ToolRefused."""
        answer = await self.client.call_tool(tool, arguments)
        if answer.is_error:
            raise ToolRefused(json.loads(cast(protocol.TextContent, answer.content[0]).text)["error"])
        return dict(answer.structured_content or {})


@asynccontextmanager
async def connect(url: str, token: str, *, timeout: float = 30) -> AsyncIterator[Tools]:
    """A client of the system at `url`; `timeout` in seconds per call."""
    headers = {"Authorization": f"Bearer {token}"}
    failed: Exception | None = None
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout) as http,
        Client(streamable_http_client(url.rstrip("/") + PATH, http_client=http)) as client,
    ):
        try:
            yield Tools(client)
        except Exception as error:  # raised again below, or the client's groups of tasks would wrap it
            failed = error
    if failed is not None:
        raise failed
