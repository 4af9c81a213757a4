"""The one root application: slim asynchronous routes for what is long or light, Django behind them for the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from config.wsgi import application as django
from core.health import livez
from core.threads import InThreads
from events.live.routes import live
from events.tracker.api.door import RecordingDoor
from iep.serving.hosts import PreviewHosts
from iep.serving.routes import EntryPoints
from tickets.mcp.routes import METADATA_PATH, mcp, metadata
from tickets.mcp.routes import PATH as MCP_PATH

DJANGO_THREADS = 8

routes: list[BaseRoute] = [
    Route("/livez", livez),
    Route("/live", live),
    Route(MCP_PATH, mcp),
    Route(METADATA_PATH, metadata),
    Route(f"{METADATA_PATH}{MCP_PATH}", metadata),
    Mount("/", InThreads(django, DJANGO_THREADS)),
]


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """What runs as long as the process does."""
    async with live.lifespan(app), mcp.lifespan(app):
        yield


application = PreviewHosts(EntryPoints(RecordingDoor(Starlette(routes=routes, lifespan=lifespan))))
