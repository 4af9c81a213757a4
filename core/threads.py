"""Django behind the asynchronous server: whole requests in, answers out, on a fixed number of threads.

A request is read before a thread takes it, so whoever sends slowly keeps nobody waiting, and an answer that is no stream
goes back in one step: each change between the event loop and a thread costs more than most of what Django does for it.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from django.http import HttpResponseBase
from starlette.types import Receive, Scope, Send

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], HttpResponseBase]

# Bytes. No view takes more than LONGEST: what is beyond it stays unread, and the view says that it is too much.
IN_MEMORY, LONGEST = 1024 * 1024, 16 * 1024 * 1024
_UNPREFIXED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class ClientLeft(Exception):
    """Before all of the request was here."""


class InThreads:
    """An ASGI application that answers as Django's WSGI application `django` does."""

    def __init__(self, django: Wsgi, threads: int) -> None:
        self._django = django
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="django")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        loop = asyncio.get_running_loop()
        try:
            body, length = await read_body(receive)
        except ClientLeft:
            return
        with body:
            environ = environ_of(scope, body, length)
            start, content = await loop.run_in_executor(self._threads, self._answer, environ, loop, send)
        if content is not None:
            await send(start)
            await send({"type": "http.response.body", "body": content})

    def _answer(
        self, environ: Environ, loop: asyncio.AbstractEventLoop, send: Send
    ) -> tuple[dict[str, Any], bytes | None]:
        """The answer's beginning and content; a stream is sent from here, and has no content left."""
        start: dict[str, Any] = {"type": "http.response.start"}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            start["status"] = int(status[:3])
            start["headers"] = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

        response = self._django(environ, start_response)
        try:
            if not response.streaming:
                return start, b"".join(response)

            def tell(message: dict[str, Any]) -> None:
                asyncio.run_coroutine_threadsafe(_tell(send, message), loop).result()

            tell(start)
            for piece in response:
                tell({"type": "http.response.body", "body": piece, "more_body": True})
            tell({"type": "http.response.body", "body": b""})
            return start, None
        finally:
            response.close()


async def _tell(send: Send, message: dict[str, Any]) -> None:
    """A coroutine of ours: what the server's `send` gives is any awaitable."""
    await send(message)


async def read_body(receive: Receive, longest: int = LONGEST) -> tuple[IO[bytes], int]:
    """The request's body, and how many bytes there are (more than `longest`: at least so many); ClientLeft."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        content = message.get("body", b"")
        return io.BytesIO(content), len(content)
    body: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (the caller closes it)
    length = 0
    while True:
        if message["type"] != "http.request":
            body.close()
            raise ClientLeft
        length += body.write(message.get("body", b""))
        if not message.get("more_body") or length > longest:
            break
        message = await receive()
    body.seek(0)
    return body, length


def environ_of(scope: Scope, body: IO[bytes], length: int) -> Environ:
    """The request as PEP 3333 has it."""
    environ = head_of(scope) | {
        "wsgi.version": (1, 0),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if length <= LONGEST:
        environ["CONTENT_LENGTH"] = str(length)  # also of a body that came without, in pieces
    else:
        told = str(environ.get("CONTENT_LENGTH", ""))
        environ["CONTENT_LENGTH"] = told if told.isdigit() else str(length)
    return environ


def head_of(scope: Scope) -> Environ:
    """What the environ says of the request's first line and headers, before its body is here."""
    host, port = scope.get("server") or ("localhost", 80)
    head: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", "").encode().decode("latin-1"),
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "REMOTE_ADDR": str((scope.get("client") or ("", 0))[0]),
        "wsgi.url_scheme": scope.get("scheme", "http"),
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if "_" in name:  # X_Y would become what X-Y is, and speak with a proxy's voice
            continue
        key = _UNPREFIXED.get(name) or "HTTP_" + name.upper().replace("-", "_")
        if key in head:
            value = f"{head[key]}{'; ' if name == 'cookie' else ','}{value}"
        head[key] = value
    return head
