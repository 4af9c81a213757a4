"""POST /api/v1alpha1/event in front of Django: what comes at the same moment is recorded together.

Everything but the plain case, refusals above all, is left to Django's view, which the request then reaches as it came.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from django.http import HttpResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.context import acting_through, id_of_request
from core.middleware import note_request
from core.slim import headers_for
from core.threads import IN_MEMORY, ClientLeft, Environ, head_of, read_body
from events.models import Event
from events.tracker.api.reading import read_json
from events.tracker.api.repeats import answering
from events.tracker.api.routes import ROUTES
from events.tracker.api.views import render, respond_json
from events.tracker.operations.events import answer_of
from events.tracker.operations.table import OPERATIONS
from events.tracker.recorder import RECORDER, Recorder, Sending

PATH = "/api/v1alpha1/event"
_ROUTE = next(route for route in ROUTES if route.operation == "CreateEvent")
_OPERATION = OPERATIONS[_ROUTE.package, _ROUTE.operation]


Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
_JSON = (b"content-type", b"application/json")


class RecordingDoor:
    """Answers the plain case itself and hands everything else on."""

    def __init__(self, behind: ASGIApp, recorder: Recorder = RECORDER) -> None:
        self._behind, self._recorder = behind, recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_recording = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == PATH
        head = head_of(scope) if is_recording else {}
        if not _is_plain(head) or (added := headers_for(head)) is None:
            await self._behind(scope, receive, send)
            return
        started = time.perf_counter()
        try:
            body = await _read(receive)
        except ClientLeft:
            return
        request_id = id_of_request(head.get("HTTP_X_REQUEST_ID", ""))
        answer = await self._record(head, body, request_id)
        if answer is None:
            await self._behind(scope, _again(body), send)
            return
        status, own, content = answer
        headers = [*own, (b"content-length", b"%d" % len(content)), (b"x-request-id", request_id.encode()), *added]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})
        with acting_through("rest", request_id):
            note_request("POST", PATH, PATH[1:], status, time.perf_counter() - started)

    async def _record(self, head: Environ, body: bytes, request_id: str) -> Answer | None:
        """What is answered, or None where Django's view has to."""
        loop = asyncio.get_running_loop()
        known: asyncio.Future[None] = loop.create_future()

        def done() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile, and nobody waits
                loop.call_soon_threadsafe(_settle, known)

        sending = Sending(
            header=lambda name: head.get("HTTP_" + name.upper().replace("-", "_")),
            read=lambda caller: _OPERATION.request.parse(read_json(body), reading=caller.reading()),
            render=_content_of, face="rest", request_id=request_id, done=done,
        )  # fmt: skip
        self._recorder.submit(sending)
        await known
        if sending.error is not None:
            return _failure(sending.error)
        return (200, [_JSON], sending.answer) if sending.answer else None


def _is_plain(head: Environ) -> bool:
    """Whether somebody with a token sends one event, for the first time."""
    return (
        ("HTTP_AUTHORIZATION" in head or "HTTP_X_API_KEY" in head)
        and "HTTP_IDEMPOTENCY_KEY" not in head
        and (length := head.get("CONTENT_LENGTH", "")).isdecimal()
        and int(length) <= IN_MEMORY
    )


async def _read(receive: Receive) -> bytes:
    body, _ = await read_body(receive)
    with body:
        return body.read()


def _again(body: bytes) -> Receive:
    """For whoever reads the request once more."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _settle(known: asyncio.Future[None]) -> None:
    if not known.done():  # nor cancelled, because its client has left
        known.set_result(None)


def _content_of(event: Event) -> bytes:
    return respond_json(render(_ROUTE, _OPERATION, answer_of(event))).content


def _failure(error: Exception) -> Answer:
    def fail() -> HttpResponse:
        raise error

    response = answering(fail)
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    return response.status_code, headers, response.content
