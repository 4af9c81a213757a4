"""The one root application: slim asynchronous routes for what is long or light, Django behind them for the rest."""

from __future__ import annotations

from typing import Any, cast

from a2wsgi import WSGIMiddleware
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from config.wsgi import application as django
from events.live.routes import live

DJANGO_THREADS = 8

# a2wsgi's types are narrower than the protocols it speaks.
django_behind: Any = WSGIMiddleware(cast(Any, django), workers=DJANGO_THREADS)
routes: list[BaseRoute] = [Route("/live", live), Mount("/", django_behind)]

application = Starlette(routes=routes, lifespan=live.lifespan)
