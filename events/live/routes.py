"""The route /live: who may open a stream, and the loop that sends it.

What a client sees: `hello {sequence}` first, then `fact {type, subject, subjectType, label, tenant, actor, at, sequence}`
with the sequence as its id; `reload {reason}` when facts were skipped (too_old, too_slow); `bye {reason}` at the end
(signed_out and forbidden are final, after restart it should come back); a comment as heartbeat every 15 seconds.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Receive, Scope, Send

from core.errors import DomainError, NotAllowed, Unavailable
from core.problems import CONTENT_TYPE, problem
from events.live.hub import Hub
from events.live.streams import Stream
from events.live.visitors import Credential, NotLoggedIn

log = structlog.get_logger(__name__)

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


class Live:
    """GET /live: facts the visitor may know of, as server-sent events."""

    def __init__(self) -> None:
        self._hub: Hub | None = None

    @property
    def hub(self) -> Hub:
        """The hub of the running loop, made when it is first asked for."""
        if self._hub is None:
            self._hub = Hub()
        return self._hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            if scope["method"] != "GET":
                raise _WrongMethod("This address is only for reading.")
            _refuse_strangers(headers)
            stream = await self._open(_credential(headers), _position(headers, scope))
        except DomainError as refusal:
            await _answer(send, refusal)
            return
        try:
            await _pump(stream, receive, send)
        except asyncio.CancelledError:
            if not stream.stuck:
                raise
        finally:
            self.hub.leave(stream)

    async def _open(self, credential: Credential, after: int | None) -> Stream:
        try:
            return await self.hub.open(credential, after)
        except DatabaseError as error:
            raise Unavailable("The database does not answer at the moment. Try again in a few seconds.") from error

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Read ahead from the start of the process, and let the streams go when it is asked to end."""
        self.hub.start()
        self._heed_signals()
        try:
            yield
        finally:
            await self.hub.stop()
            self._hub = None

    def _heed_signals(self) -> None:
        """Close the streams on SIGTERM: the server itself waits for open answers before it tells us to stop."""
        loop, hub = asyncio.get_running_loop(), self.hub
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)

            def heed(given: int, frame: Any, before: Any = before) -> None:
                loop.call_soon_threadsafe(hub.say_goodbye)
                if callable(before):
                    before(given, frame)

            try:
                signal.signal(number, heed)
                signal.siginterrupt(number, False)
            except ValueError:  # not the main thread: whoever embeds us stops us by the lifespan
                return


class _WrongMethod(DomainError):
    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"


def _refuse_strangers(headers: Headers) -> None:
    """Only our own pages and programs listen; another site's page does not, even with the visitor's cookie."""
    site = headers.get("sec-fetch-site", "same-origin")
    origin = headers.get("origin")
    host = headers.get("host", "")
    if site not in {"same-origin", "none"} or (origin and _host_of(origin) != host):
        raise NotAllowed("The live stream is only for this site's own pages.", code="wrong_origin")


def _host_of(origin: str) -> str | None:
    """Host and port of an address; None when it is none, such as http://[::1 without its end."""
    try:
        return urllib.parse.urlsplit(origin).netloc or None
    except ValueError:
        return None


def _credential(headers: Headers) -> Credential:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return Credential(token=token.strip())
    key = cookie_parser(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, "")
    if not key:
        raise NotLoggedIn("Log in, or send a bearer token.")
    return Credential(session=key)


def _position(headers: Headers, scope: Scope) -> int | None:
    """The last fact the page knows: as the browser remembers it, else as the page was made with (?after=)."""
    asked = urllib.parse.parse_qs(scope["query_string"].decode("latin-1")).get("after", [""])[0]
    text = headers.get("last-event-id") or asked
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


async def _pump(stream: Stream, receive: Receive, send: Send) -> None:
    """Send what the hub puts into the stream until either side has had enough; the hub cancels it when it is stuck."""
    gone = asyncio.ensure_future(_until_gone(receive))
    gone.add_done_callback(lambda _: stream.close())
    stream.task = asyncio.current_task()
    try:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        # Spread, so that not everybody is back at the same moment after a restart.
        await _send(stream, send, f"retry: {random.randint(1000, 4000)}\n\n".encode())
        while not gone.done() and (stream.frames or not stream.closing):
            await stream.wake.wait()
            piece = stream.take()
            if piece and not gone.done():
                await _send(stream, send, piece)
        if not gone.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        gone.cancel()


async def _send(stream: Stream, send: Send, piece: bytes) -> None:
    stream.sending, stream.moved_at = True, time.monotonic()
    await send({"type": "http.response.body", "body": piece, "more_body": True})
    stream.sending, stream.moved_at = False, time.monotonic()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send, refusal: DomainError) -> None:
    """The refusal as problem+json."""
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"cache-control", b"no-store")]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="stagepass"'))
    if refusal.status == 405:
        headers.append((b"allow", b"GET"))
    if refusal.status in {429, 503}:
        headers.append((b"retry-after", str(random.randint(5, 15)).encode()))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem(refusal)).encode()})


live = Live()
