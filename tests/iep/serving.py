"""The slim routes alone, for server processes that tests start."""

from __future__ import annotations

import django
from starlette.types import Receive, Scope, Send

django.setup()

from iep.serving.routes import EntryPoints  # noqa: E402 (needs Django's set-up)


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})


application = EntryPoints(nothing)
