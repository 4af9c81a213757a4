"""Answers that never change, ready to be sent: as they are, compressed, or as "you have it"."""

from __future__ import annotations

import asyncio
import gzip
from functools import lru_cache
from typing import Any

from starlette.types import Scope, Send

Headers = list[tuple[bytes, bytes]]
LEAST_TO_SQUEEZE = 1024


class Answer:
    """Some bytes under a strong tag. `squeeze` lets clients that take gzip have them compressed, under another tag."""

    def __init__(  # noqa: PLR0917 (always these, in this order)
        self, content: bytes, media_type: str, tag: str, cache: str, more: Headers, *, squeeze: bool = False
    ) -> None:
        self.tag = tag
        self.size = len(content)
        self._squeezes = squeeze and self.size >= LEAST_TO_SQUEEZE
        self._cache = cache
        self._more = [*more, (b"vary", b"accept-encoding")] if self._squeezes else more
        self._media_type = media_type
        self._plain = self._form(content, tag, [])
        self._squeezed: _Form | None = None
        self._squeezing = asyncio.Lock()

    async def deliver(self, scope: Scope, send: Send) -> None:
        """The content in the form that the client takes, or 304 to whoever has that."""
        given, takes = b"", b""
        for name, value in scope["headers"]:
            if name == b"if-none-match":
                given = value
            elif name == b"accept-encoding":
                takes = value
        form = await self._compressed() if self._squeezes and takes and takes_gzip(takes) else self._plain
        if given and (given == form.etag or names_tag(given, form.etag)):
            await send(form.same)
            await send(_NO_BODY)
            return
        await send(form.start)
        await send(_NO_BODY if scope["method"] == "HEAD" else form.body)

    def _form(self, content: bytes, tag: str, encoding: Headers) -> _Form:
        etag = f'"{tag}"'.encode()
        common = [(b"etag", etag), (b"cache-control", self._cache.encode()), *self._more]
        entity = [(b"content-type", self._media_type.encode()), (b"content-length", str(len(content)).encode())]
        return _Form(etag, _start(200, [*common, *entity, *encoding]), _start(304, common), content)

    async def _compressed(self) -> _Form:
        """Made when the first client asks for it; the same bytes on every process."""
        if self._squeezed is None:
            async with self._squeezing:
                if self._squeezed is None:
                    plain: bytes = self._plain.body["body"]
                    content = await asyncio.to_thread(gzip.compress, plain, 6, mtime=0)
                    self._squeezed = self._form(content, f"{self.tag}.gz", [(b"content-encoding", b"gzip")])
        return self._squeezed


class _Form:
    """One representation: the messages that an answer with it consists of."""

    __slots__ = ("body", "etag", "same", "start")

    def __init__(self, etag: bytes, start: dict[str, Any], same: dict[str, Any], content: bytes) -> None:
        self.etag, self.start, self.same = etag, start, same
        self.body: dict[str, Any] = {"type": "http.response.body", "body": content}


def _start(status: int, headers: Headers) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


_NO_BODY = {"type": "http.response.body", "body": b""}


def names_tag(given: bytes, etag: bytes) -> bool:
    """Whether If-None-Match names the tag. Proxies that compress make tags weak, which is no difference here."""
    return given.strip() == b"*" or any(part.strip().removeprefix(b"W/") == etag for part in given.split(b","))


@lru_cache(maxsize=256)
def takes_gzip(given: bytes) -> bool:
    """Whether Accept-Encoding takes gzip."""
    for part in given.lower().split(b","):
        name, _, weight = part.replace(b" ", b"").partition(b";q=")
        if name == b"gzip":
            return not weight or weight.strip(b"0.") != b""
    return False


def raw(headers: dict[str, str]) -> Headers:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


async def say(send: Send, status: int, more: Headers, text: bytes) -> None:
    """A sentence that nobody keeps."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"),
        (b"content-length", str(len(text)).encode()), (b"x-content-type-options", b"nosniff"), *more,
    ]  # fmt: skip
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": text})
