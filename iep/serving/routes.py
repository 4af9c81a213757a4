"""The slim routes in front of Django: modules and maps by digest, and the pointer to production's map.

/iep/m/<app>/<folder>/<name>~<digest>.<ending>   a file, immutable; also /iep/m/<digest>/<path>
/iep/map/<digest>.json|.js                       a map, immutable; as a script that puts it into the page
/iep/<app>/map.json|map.js                       production's map now: strong ETag, never older than FRESH seconds
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from django.db import Error as DatabaseError
from django.db import close_old_connections
from starlette.types import ASGIApp, Receive, Scope, Send

from iep import maps, storage
from iep.models import SLUG, Application, ImportMap, Release
from iep.serving.files import GUARDED, IMMUTABLE, type_of
from iep.serving.origins import headers_for, is_foreign, known_origins, read_origins

log = structlog.get_logger(__name__)

FRESH = 0.25
KEPT_MAPS = 64
THREADS = 2
_MODULE = re.compile(maps.ADDRESS.pattern)
_BY_DIGEST = re.compile(r"/iep/m/(?P<digest>[0-9a-f]{64})/(?P<path>.+)")
_MAP = re.compile(r"/iep/map/(?P<digest>[0-9a-f]{64})\.(?P<form>json|js)")
_POINTER = re.compile(rf"/iep/(?P<app>{SLUG})/map\.(?P<form>json|js)")
_TYPES = {"json": "application/importmap+json", "js": "text/javascript; charset=utf-8"}

Headers = list[tuple[bytes, bytes]]
Result = TypeVar("Result")


class EntryPoints:
    """Answers these addresses itself and hands everything else on."""

    def __init__(self, behind: ASGIApp) -> None:
        self.behind = behind
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="entry-points")
        self._maps: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._heads: dict[str, _Head] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if not path.startswith("/iep/") or scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self.behind(scope, receive, send)
            return
        try:
            done = await self._answer(path, scope, send)
        except DatabaseError as error:
            log.warning("entry_points.database", error=str(error))
            await _say(
                send, 503, [(b"retry-after", b"2")], b"The database does not answer. Try again in a few seconds.\n"
            )
            return
        if not done:
            await self.behind(scope, receive, send)

    async def _answer(self, path: str, scope: Scope, send: Send) -> bool:
        if found := _MODULE.fullmatch(path):
            headers = await self._opened(scope, found["app"])
            await self._module(scope, send, found["digest"], type_of(f"x.{found['ending']}"), headers)
        elif found := _BY_DIGEST.fullmatch(path):
            await self._module(scope, send, found["digest"], type_of(found["path"]), _GUARDED)
        elif found := _MAP.fullmatch(path):
            await self._map(scope, send, found["digest"], found["form"])
        elif (found := _POINTER.fullmatch(path)) and not scope["query_string"]:
            return await self._pointer(scope, send, found["app"], found["form"])
        else:
            return False
        return True

    async def _in_thread(self, work: Callable[..., Result], *arguments: object) -> Result:
        def run() -> Result:
            close_old_connections()
            return work(*arguments)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def _opened(self, scope: Scope, app: str) -> Headers:
        """The headers of a module: for a page of another site with what that application allows it."""
        asked = dict(scope["headers"])
        if not is_foreign(asked):
            return _GUARDED
        allowed = known_origins(app)
        if allowed is None:
            allowed = await self._in_thread(read_origins, app)
        return _raw(headers_for(allowed, asked.get(b"origin", b"").decode("latin-1")))

    async def _module(self, scope: Scope, send: Send, digest: str, media_type: str | None, headers: Headers) -> None:
        content = None
        if media_type is not None:
            content = storage.memory.get(digest) or await self._in_thread(storage.read, digest)
        if content is None or media_type is None:
            await _say(send, 404, [], b"There is no such file.\n")
            return
        await _deliver(scope, send, content, media_type, digest, IMMUTABLE, headers)

    async def _map(self, scope: Scope, send: Send, digest: str, form: str) -> None:
        content = self._maps.get((digest, form)) or await self._in_thread(_read_map, digest, form)
        if content is None:
            await _say(send, 404, [], b"There is no such map.\n")
            return
        self._keep((digest, form), content)
        await _deliver(scope, send, content, _TYPES[form], f"{digest}.{form}", IMMUTABLE, _OPEN)

    def _keep(self, key: tuple[str, str], content: bytes) -> None:
        self._maps[key] = content
        self._maps.move_to_end(key)
        while len(self._maps) > KEPT_MAPS:
            self._maps.popitem(last=False)

    async def _pointer(self, scope: Scope, send: Send, app: str, form: str) -> bool:
        head = self._heads.get(app)
        if head is None:
            head = self._heads[app] = _Head(app)
        await head.refresh(self._in_thread)
        if head.digest is None:
            del self._heads[app]
            return False
        content = head.document if form == "json" else head.script
        await _deliver(scope, send, content, _TYPES[form], f"{head.digest}.{form}", "no-cache", _OPEN)
        return True


class _Head:
    """What one process knows of an application's production map."""

    def __init__(self, app: str) -> None:
        self.app = app
        self.digest: str | None = None
        self.document = self.script = b""
        self._seen = 0.0
        self._lock = asyncio.Lock()

    async def refresh(self, in_thread: Callable[..., object]) -> None:
        """Look again when the last look was more than FRESH ago; whoever asks meanwhile waits for the same look."""
        if time.monotonic() - self._seen <= FRESH:
            return
        async with self._lock:
            began = time.monotonic()
            if began - self._seen <= FRESH:
                return
            digest = await in_thread(_head_digest, self.app)  # type: ignore[misc]
            if digest != self.digest or digest is None:
                document = await in_thread(_read_head, self.app)  # type: ignore[misc]
                self.digest = digest = hashlib.sha256(document).hexdigest() if document is not None else None
                self.document = document or b""
                self.script = maps.script_of(self.document.decode()).encode()
            self._seen = began


def _head_digest(app: str) -> str | None:
    """The digest as the newest release has it; None before the map was made, and without such an application."""
    newest = Release.objects.filter(application__slug=app).order_by("-revision")
    return newest.values_list("map_digest", flat=True).first() or None


def _read_head(app: str) -> bytes | None:
    application = Application.objects.filter(slug=app).first()
    return maps.production_map(application).document.encode() if application else None


def _read_map(digest: str, form: str) -> bytes | None:
    document = ImportMap.objects.filter(pk=digest).values_list("document", flat=True).first()
    if document is None:
        return None
    return document.encode() if form == "json" else maps.script_of(document).encode()


def _raw(headers: dict[str, str]) -> Headers:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


_GUARDED = _raw(GUARDED | {"Vary": "Origin"})
# Maps hold digests only; pages of other sites may use them.
_OPEN = _raw({"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*"})


async def _deliver(  # noqa: PLR0917 (the hot path takes no keywords)
    scope: Scope, send: Send, content: bytes, media_type: str, tag: str, cache: str, more: Headers
) -> None:
    """The content, or 304 to whoever has it."""
    etag = f'"{tag}"'.encode()
    headers = [(b"etag", etag), (b"cache-control", cache.encode()), *more]
    for name, value in scope["headers"]:
        if name == b"if-none-match" and (value in {etag, b"*"} or etag in value.replace(b" ", b"").split(b",")):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
    headers += [(b"content-type", media_type.encode()), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})


async def _say(send: Send, status: int, more: Headers, text: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"),
        (b"content-length", str(len(text)).encode()), (b"x-content-type-options", b"nosniff"), *more,
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
