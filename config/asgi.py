"""The one root application: slim asynchronous routes for what is long or light, Django behind them for the rest."""

from __future__ import annotations

from typing import Any, cast

from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from config.wsgi import application as django

DJANGO_THREADS = 8


class AwaitedBody:
    """Lets a2wsgi read bodies: it needs a coroutine where the protocol, and granian, give any awaitable."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def received() -> Any:
            return await receive()

        await self.app(scope, received, send)


# a2wsgi's types are narrower than the protocols it speaks.
django_behind = AwaitedBody(WSGIMiddleware(cast(Any, django), workers=DJANGO_THREADS))
routes: list[BaseRoute] = [Mount("/", django_behind)]

application = Starlette(routes=routes)
