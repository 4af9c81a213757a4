"""The one root application: slim asynchronous routes for what is long or light, Django behind them for the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.wsgi import application as django
from core.health import livez
from events.live.routes import live
from iep.serving.hosts import PreviewHosts
from iep.serving.routes import EntryPoints
from tickets.mcp.routes import METADATA_PATH, mcp, metadata
from tickets.mcp.routes import PATH as MCP_PATH

DJANGO_THREADS = 8


class WithCoroutines:
    """Lets the server hand in any awaitables: a2wsgi insists on coroutines, granian gives futures of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_one() -> Message:
            return await receive()

        async def send_one(message: Message) -> None:
            await send(message)

        await self.app(scope, receive_one, send_one)


# a2wsgi's types are narrower than the protocols it speaks.
django_behind = WithCoroutines(cast(Any, WSGIMiddleware(cast(Any, django), workers=DJANGO_THREADS)))
routes: list[BaseRoute] = [
    Route("/livez", livez),
    Route("/live", live),
    Route(MCP_PATH, mcp),
    Route(METADATA_PATH, metadata),
    Route(f"{METADATA_PATH}{MCP_PATH}", metadata),
    Mount("/", django_behind),
]


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """What runs as long as the process does."""
    async with live.lifespan(app), mcp.lifespan(app):
        yield


application = PreviewHosts(EntryPoints(Starlette(routes=routes, lifespan=lifespan)))
