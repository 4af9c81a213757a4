"""The slim routes in front of Django: modules and maps by digest, and the pointer to production's map.

/iep/m/<app>/<folder>/<name>~<digest>.<ending>   a file, immutable; also /iep/m/<digest>/<path>
/iep/map/<digest>.json|.js                       a map, immutable; as a script that puts it into the page
/iep/<app>/map.json|map.js                       production's map now: strong ETag, never older than OLDEST seconds
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog
from django.db import Error as DatabaseError
from django.db import close_old_connections
from starlette.types import ASGIApp, Receive, Scope, Send

from iep import maps, storage
from iep.models import SLUG, Application, ImportMap, Release
from iep.serving.answers import Answer, Headers, raw, say
from iep.serving.files import GUARDED, IMMUTABLE, type_of
from iep.serving.origins import headers_for, is_foreign, known_origins, origin_of, read_origins

log = structlog.get_logger(__name__)

# Seconds: a pointer looks again after FRESH, without making anyone wait, and nobody gets a look older than OLDEST.
FRESH, OLDEST = 0.2, 0.5
KEPT_BYTES = 16 * 1024 * 1024
THREADS = 2
_MODULE = re.compile(maps.ADDRESS.pattern)
_BY_DIGEST = re.compile(r"/iep/m/(?P<digest>[0-9a-f]{64})/(?P<path>.+)")
_MAP = re.compile(r"/iep/map/(?P<digest>[0-9a-f]{64})\.(?P<form>json|js)")
_POINTER = re.compile(rf"/iep/(?P<app>{SLUG})/map\.(?P<form>json|js)")
_TYPES = {"json": "application/importmap+json", "js": "text/javascript; charset=utf-8"}

_GUARDED = raw(GUARDED | {"Vary": "Origin"})
# Maps hold digests only; pages of other sites may use them.
_OPEN = raw({"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*"})
_NOTHING = Answer(b"", "", "", "", [])

Result = TypeVar("Result")
InThread = Callable[..., Coroutine[Any, Any, Any]]


class EntryPoints:
    """Answers these addresses itself and hands everything else on."""

    def __init__(self, behind: ASGIApp) -> None:
        self.behind = behind
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="entry-points")
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._kept_bytes = 0
        self._pointers: dict[str, tuple[_Head, str]] = {}
        self._heads: dict[str, _Head] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if not path.startswith("/iep/") or scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self.behind(scope, receive, send)
            return
        try:
            answer = self._kept.get(path) or self._known_pointer(path, scope) or await self._find(path, scope)
        except DatabaseError as error:
            log.warning("entry_points.database", error=str(error))
            text = b"The database does not answer. Try again in a few seconds.\n"
            await say(send, 503, [(b"retry-after", b"2")], text)
            return
        if answer is None:
            await self.behind(scope, receive, send)
        elif answer is _NOTHING:
            await say(send, 404, [], b"There is nothing at this address.\n")
        else:
            await answer.deliver(scope, send)

    async def _find(self, path: str, scope: Scope) -> Answer | None:
        """The answer to this address; None for what is not ours."""
        if found := _MODULE.fullmatch(path):
            headers = await self._opened(scope, found["app"])
            return await self._module(found["digest"], type_of(f"x.{found['ending']}"), headers)
        if found := _BY_DIGEST.fullmatch(path):
            return await self._module(found["digest"], type_of(found["path"]), _GUARDED)
        if found := _MAP.fullmatch(path):
            return await self._map(path, found["digest"], found["form"])
        if (found := _POINTER.fullmatch(path)) and not scope["query_string"]:
            return await self._pointer(path, found["app"], found["form"])
        return None

    async def _in_thread(self, work: Callable[..., Result], *arguments: object) -> Result:
        def run() -> Result:
            close_old_connections()
            return work(*arguments)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def _opened(self, scope: Scope, app: str) -> Headers:
        """The headers of a module: for a page of another site with what that application allows it."""
        if not is_foreign(scope["headers"]):
            return _GUARDED
        allowed = known_origins(app)
        if allowed is None:
            allowed = await self._in_thread(read_origins, app)
        return raw(headers_for(allowed, origin_of(scope["headers"])))

    async def _module(self, digest: str, media_type: str | None, headers: Headers) -> Answer:
        content = None
        if media_type is not None:
            content = storage.memory.get(digest) or await self._in_thread(storage.read, digest)
        if content is None or media_type is None:
            return _NOTHING
        return Answer(content, media_type, digest, IMMUTABLE, headers)

    async def _map(self, path: str, digest: str, form: str) -> Answer:
        answer = await self._in_thread(_read_map, digest, form)
        if answer is None:
            return _NOTHING
        self._keep(path, answer)
        return answer

    def _keep(self, path: str, answer: Answer) -> None:
        """Have the answer at hand; the oldest go when there are too many bytes."""
        if path in self._kept:
            return
        self._kept[path] = answer
        self._kept_bytes += answer.size
        while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
            self._kept_bytes -= self._kept.popitem(last=False)[1].size

    def _known_pointer(self, path: str, scope: Scope) -> Answer | None:
        """The pointer's answer where the last look is recent enough; a new look begins behind it in time."""
        known = self._pointers.get(path)
        if known is None or scope["query_string"]:
            return None
        head, form = known
        age = time.monotonic() - head.seen
        if age > OLDEST:
            return None
        if age > FRESH:
            head.look_soon(self._in_thread)
        return head.answers.get(form)

    async def _pointer(self, path: str, app: str, form: str) -> Answer | None:
        head = self._heads.setdefault(app, _Head(app))
        await head.look(self._in_thread)
        if not head.answers:
            self._heads.pop(app, None)
            self._pointers.pop(path, None)
            return None
        self._pointers[path] = (head, form)
        return head.answers[form]


class _Head:
    """What one process knows of an application's production map."""

    def __init__(self, app: str) -> None:
        self.app = app
        self.answers: dict[str, Answer] = {}
        self.seen = -OLDEST
        self._digest: str | None = None
        self._lock = asyncio.Lock()
        self._soon: asyncio.Task[None] | None = None

    def look_soon(self, in_thread: InThread) -> None:
        """Look again without anybody waiting for it."""
        if self._soon is None or self._soon.done():
            self._soon = asyncio.ensure_future(self._look_quietly(in_thread))

    async def _look_quietly(self, in_thread: InThread) -> None:
        try:
            await self.look(in_thread)
        except DatabaseError as error:  # whoever asks when it is too old is told
            log.warning("entry_points.database", error=str(error))

    async def look(self, in_thread: InThread) -> None:
        """Look when the last look was more than FRESH ago; whoever asks meanwhile waits for the same look."""
        async with self._lock:
            began = time.monotonic()
            if began - self.seen <= FRESH:
                return
            digest = await in_thread(_head_digest, self.app)
            if digest is None or digest != self._digest:
                self.answers = await in_thread(_read_head, self.app)
                tag = self.answers["json"].tag if self.answers else ""
                self._digest = tag.removesuffix(".json") or None
            self.seen = began


def _head_digest(app: str) -> str | None:
    """The digest as the newest release has it; None before the map was made, and without such an application."""
    newest = Release.objects.filter(application__slug=app).order_by("-revision")
    return newest.values_list("map_digest", flat=True).first() or None


def _read_head(app: str) -> dict[str, Answer]:
    application = Application.objects.filter(slug=app).first()
    if application is None:
        return {}
    made = maps.production_map(application)
    return {form: _map_answer(made.digest, made.document, form, "no-cache") for form in _TYPES}


def _read_map(digest: str, form: str) -> Answer | None:
    document = ImportMap.objects.filter(pk=digest).values_list("document", flat=True).first()
    return None if document is None else _map_answer(digest, document, form, IMMUTABLE)


def _map_answer(digest: str, document: str, form: str, cache: str) -> Answer:
    text = document if form == "json" else maps.script_of(document)
    return Answer(text.encode(), _TYPES[form], f"{digest}.{form}", cache, _OPEN, squeeze=True)
