"""The one root application: slim asynchronous routes for what is long or light, Django behind them for the rest."""

from __future__ import annotations

from typing import Any, cast

from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.wsgi import application as django
from events.live.routes import live

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
routes: list[BaseRoute] = [Route("/live", live), Mount("/", django_behind)]

application = Starlette(routes=routes, lifespan=live.lifespan)
