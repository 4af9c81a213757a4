"""The hub: listens to the fact log on one connection and hands new facts to the open streams of this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg
import structlog
from django.conf import settings

from accounts.services import PEOPLE_CHANNEL
from core.errors import DomainError, Unavailable
from events.live.streams import Line, Stream, make_frame
from events.live.visitors import Credential, Visitor, identify
from events.services import NOTIFY_CHANNEL

log = structlog.get_logger(__name__)

KEPT = 1000  # the newest facts, for those who come back
REPLAYED = 200  # more than this is sooner fetched by loading the page again
READ_AT_ONCE = 500
READ_SECONDS = 15.0
GATHER_SECONDS = 0.02  # between two reads: whatever comes meanwhile is read at once
POLL_SECONDS = 5.0  # in case an announcement was lost, for example behind a pooler
HEARTBEAT_SECONDS = 15.0
STUCK_SECONDS = 20.0
# Many streams are woken in small groups with a breath between, so that pages in other threads get the interpreter.
WOKEN_AT_ONCE = 10
BREATH_SECONDS = 0.002
THREADS = 4

T = TypeVar("T", bound=Stream)

_COLUMNS = """
    SELECT f.sequence, f.type, f.subject_type, f.subject_id, f.subject_label, t.slug, f.actor_label, f.occurred_at,
           f.audience_capability, f.tenant_id, f.audience_users
      FROM events_domainevent f LEFT JOIN accounts_tenant t ON t.id = f.tenant_id
"""
_NEWER = _COLUMNS + " WHERE f.sequence > %s ORDER BY f.sequence LIMIT %s"
_HEAD = "SELECT coalesce(max(sequence), 0) FROM events_domainevent"


class Full(DomainError):
    """One more stream than this person, or this process, may have open."""

    status = 429
    code = "too_many_streams"
    title = "Too many open streams"


class Hub:
    """All streams of one event loop; `start` it there and `stop` it before the loop ends."""

    def __init__(self) -> None:
        self.streams: set[Stream] = set()
        self.recent: deque[Line] = deque(maxlen=KEPT)
        self.head = 0
        self.listening = asyncio.Event()
        self._opening = asyncio.Event()
        self.stopping = False
        self._per_user: Counter[int] = Counter()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="live")
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(job()) for job in (self._listen, self._recheck, self._beat)]

    def say_goodbye(self) -> None:
        """Let all go, and nobody in any more: the process is about to end."""
        self.stopping = True
        for stream in list(self.streams):
            stream.say_goodbye("restart")

    async def stop(self) -> None:
        self.say_goodbye()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    # Coming and going

    async def identify(self, credential: Credential) -> Visitor:
        """Who this is, read in one of a few threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, identify, credential)

    async def open(self, credential: Credential, after: int | None) -> Stream:
        """A browser's stream; see `open_as`."""
        return await self.open_as(Stream, credential, after)

    async def open_as(
        self, make: Callable[[Credential, Visitor, int], T], credential: Credential, after: int | None
    ) -> T:
        """A new stream that begins behind fact `after` (default: now), filled with what was missed since.

        NotLoggedIn, NotAllowed; Full beyond the limits; Unavailable while the fact log cannot be read.
        """
        self.start()
        self._opening.set()
        visitor = await self.identify(credential)
        try:
            async with asyncio.timeout(5):
                await self.listening.wait()
        except TimeoutError as error:
            raise Unavailable("The fact log cannot be read at the moment. Try again in a few seconds.") from error
        self._check_room(visitor.user_id)
        stream = make(credential, visitor, self.head if after is None else after)
        self._catch_up(stream)
        self.streams.add(stream)
        self._per_user[visitor.user_id] += 1
        return stream

    def _check_room(self, user_id: int) -> None:
        if self.stopping:
            raise Unavailable("This server is about to restart. Try again in a few seconds.")
        if self._per_user[user_id] >= settings.LIVE_STREAMS_PER_PERSON:
            raise Full("You have too many pages open that update themselves. Close some, then reload this one.")
        if len(self.streams) >= settings.LIVE_STREAMS:
            raise Unavailable("Too many people watch at the moment. This page still works; reload it to see news.")

    def _catch_up(self, stream: Stream) -> None:
        """Replay what came after the last fact the browser saw, or tell it to reload when that is too long ago."""
        oldest = self.recent[0].sequence if self.recent else self.head + 1
        missed = [line for line in self.recent if line.sequence > stream.after and line.is_for(stream.visitor)]
        # Far ahead of the log: it was restored from a backup.
        if stream.after < oldest - 1 or stream.after > self.head + KEPT or len(missed) > REPLAYED:
            stream.after = 0
            stream.reload("too_old", self.head)
            return
        stream.frames.append(make_frame("hello", {"sequence": self.head}, stream.after))
        stream.frames.extend(line.frame for line in missed)
        stream.wake.set()

    def leave(self, stream: Stream) -> None:
        if stream in self.streams:
            self.streams.remove(stream)
            self._per_user[stream.visitor.user_id] -= 1
            if not self._per_user[stream.visitor.user_id]:
                del self._per_user[stream.visitor.user_id]

    # Reading the log

    async def _listen(self) -> None:
        """Follow the log for ever; a lost connection is made again and nothing is skipped."""
        pause = 0.1
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(**_address(), autocommit=True) as connection:
                    await connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
                    await connection.execute(f"LISTEN {PEOPLE_CHANNEL}")
                    await self._begin(connection)
                    await self._read(connection)
                    self.listening.set()
                    pause = 0.1
                    while True:
                        await self._wait_and_read(connection)
                        await self._gather()
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("live.database_lost", error=str(error))
            except Exception:  # the stream must outlive a mistake of ours, and tell of it
                log.exception("live.failed")
            self.listening.clear()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _gather(self) -> None:
        """A pause in which facts may come together, unless somebody opens a stream."""
        self._opening.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHER_SECONDS):
                await self._opening.wait()

    async def _wait_and_read(self, connection: psycopg.AsyncConnection[Any]) -> None:
        people = set()
        async for notification in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
            if notification.channel == PEOPLE_CHANNEL:
                people.add(notification.payload)
        if people:
            # Before the next facts, so that nobody hears of one after losing the right to.
            await self._check(stream for stream in list(self.streams) if str(stream.visitor.user_id) in people)
        await self._read(connection)

    async def _begin(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Find our place in the log: behind what we know, or, at the start and after long outages, near its end."""
        async with asyncio.timeout(READ_SECONDS):
            row = await (await connection.execute(_HEAD)).fetchone()
        head = int(row[0]) if row else 0
        if self.head <= head <= self.head + KEPT:
            return
        self.recent.clear()
        self.head = max(0, head - KEPT)
        for stream in self.streams:
            stream.after = 0
            stream.reload("too_old", head)

    async def _read(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Hand out whatever is new."""
        rows: list[tuple[Any, ...]] | None = None
        while rows is None or len(rows) == READ_AT_ONCE:
            async with asyncio.timeout(READ_SECONDS):
                rows = await (await connection.execute(_NEWER, [self.head, READ_AT_ONCE])).fetchall()
            if rows:
                await self._hand_out([_line_of(row) for row in rows])

    async def _hand_out(self, lines: list[Line]) -> None:
        self.recent.extend(lines)
        self.head = lines[-1].sequence
        async for stream in self._in_small_groups():
            stream.offer(lines)

    async def _in_small_groups(self) -> AsyncIterator[Stream]:
        for number, stream in enumerate(list(self.streams), 1):
            yield stream
            if number % WOKEN_AT_ONCE == 0:
                await asyncio.sleep(BREATH_SECONDS)

    async def _beat(self) -> None:
        """Signs of life for silent streams, the end for those that nobody reads."""
        while True:
            await asyncio.sleep(1)
            async for stream in self._in_small_groups():
                stream.beat(HEARTBEAT_SECONDS, STUCK_SECONDS)

    # Still allowed?

    async def _recheck(self) -> None:
        """Look at every credential again, evenly spread over each round."""
        while True:
            credentials = {stream.credential for stream in self.streams}
            for credential in credentials:
                await asyncio.sleep(settings.LIVE_RECHECK_SECONDS / len(credentials))
                try:
                    await self._check(stream for stream in list(self.streams) if stream.credential == credential)
                except Exception as error:  # the database is away: the next round looks again
                    log.warning("live.recheck_failed", error=str(error))
            if not credentials:
                await asyncio.sleep(settings.LIVE_RECHECK_SECONDS / 10)

    async def _check(self, streams: Iterable[Stream]) -> None:
        """Give the streams today's grants, and let go those whose log-in has ended."""
        by_credential: dict[Credential, list[Stream]] = {}
        for stream in streams:
            by_credential.setdefault(stream.credential, []).append(stream)
        for credential, affected in by_credential.items():
            try:
                visitor = await self.identify(credential)
            except DomainError as refusal:
                reason = "signed_out" if refusal.status == 401 else "forbidden"
                for stream in affected:
                    stream.say_goodbye(reason)
            else:
                for stream in affected:
                    stream.visitor = visitor


def _line_of(row: tuple[Any, ...]) -> Line:
    sequence, kind, subject_type, subject, label, tenant, actor, at, capability, tenant_id, users = row
    data = {
        "type": kind,
        "subject": subject,
        "subjectType": subject_type,
        "label": label,
        "tenant": tenant,
        "actor": actor,
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "sequence": sequence,
    }
    frame = make_frame("fact", data, sequence)
    return Line(sequence, capability, tenant_id, frozenset(users), frame, kind, subject_type, subject)


def _address() -> dict[str, Any]:
    """How Django reaches the database, for a connection of our own."""
    database = settings.DATABASES["default"]
    names = {"HOST": "host", "PORT": "port", "NAME": "dbname", "USER": "user", "PASSWORD": "password"}
    options = {
        key: value for key, value in database.get("OPTIONS", {}).items() if key not in {"pool", "isolation_level"}
    }
    return options | {ours: database[theirs] for theirs, ours in names.items() if database.get(theirs)}
