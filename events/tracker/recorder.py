"""Events that are sent at the same moment are recorded together: one look at their tokens, one transaction.

Each recording alone asks for its token, waits for the fact log's lock and for the disk; together they do so once. Each
event still has its own caller, fact and outcome. Only the plain case is dealt with here: whatever would be refused, or
concerns other events and locks, is left to the operation itself, which says so in its face's form.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import DataError, InterfaceError, OperationalError, close_old_connections, connection

from accounts.selectors import Holder
from core.context import acting_through
from core.sql import Statement, is_missing
from events.models import DomainEvent, Event
from events.tracker.access import WRITE, Caller, Header, caller_with, secret_in
from events.tracker.holders import KnownHolders
from events.tracker.records import concerns_others, fact_of_recording, new_event, write_events
from events.tracker.wire.codec import Plain
from events.tracker.wire.messages import content_of

log = structlog.get_logger(__name__)

MOST = 64


@dataclass(slots=True, eq=False)
class Sending:
    """One request to record an event, and what became of it: its `answer`, an `error`, or neither (not dealt with)."""

    header: Header
    read: Callable[[Caller], Plain]
    render: Callable[[Event], Any]
    face: str
    request_id: str
    done: Callable[[], object]
    answer: Any = None
    error: Exception | None = None


class Recorder:
    """One thread that records whatever waits, all at once, and then whatever has come meanwhile."""

    def __init__(self) -> None:
        self.waiting: queue.SimpleQueue[Sending | None] = queue.SimpleQueue()
        self._known = KnownHolders()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, sending: Sending) -> None:
        """Returns at once; `sending.done` is called, on another thread, when its outcome is known."""
        self.waiting.put(sending)
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
                    self._thread.start()

    def close(self) -> None:
        """Deal with what waits, then end the thread and its connection; for the end of a server."""
        if self._thread is not None:
            self.waiting.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while group := self._next_group():
            try:
                record_together(group, self._known)
            except Exception as error:  # nobody is left waiting, and the operation itself meets it too
                log.warning("recorder.failed", error=str(error))
            close_old_connections()  # one that has failed
            for sending in group:
                sending.done()
        connection.close()

    def _next_group(self) -> list[Sending]:
        """Whoever waits, at least one; nobody when it is time to end."""
        first = self.waiting.get()
        group = [first] if first else []
        while group and len(group) < MOST and not self.waiting.empty():
            if (another := self.waiting.get()) is None:
                self.waiting.put(None)
                break
            group.append(another)
        return group


def record_together(group: Sequence[Sending], known: KnownHolders) -> None:
    """Record what is plain of the group, and set its outcome."""
    secrets = [secret_in(sending.header) or "" for sending in group]
    try:
        _record(group, secrets, known)
    except DataError as error:
        if not is_missing(error):
            raise
        known.forget(*secrets)  # a token was revoked, a right given or taken
        _record(group, secrets, known)


def _record(group: Sequence[Sending], secrets: Sequence[str], known: KnownHolders) -> None:
    holders, confirmations = known.find(secrets)
    prepared = []
    for sending, secret in zip(group, secrets, strict=True):
        if holder := holders.get(secret):
            found = _prepare(sending, holder)
            if found:
                prepared.append((sending, *found))
            else:  # perhaps it may by now
                known.forget(secret)
    if prepared:
        _write(prepared, confirmations)


def _prepare(sending: Sending, holder: Holder) -> tuple[Event, DomainEvent] | None:
    try:
        caller = caller_with(holder, sending.header)
        caller.require(WRITE)
        plain = sending.read(caller)
        tenant = caller.writable(plain.get("tenant", ""))
        event = new_event(tenant=tenant, content=content_of(plain), by=caller.actor)
        if concerns_others(event):
            return None
        with acting_through(sending.face, sending.request_id):
            return event, fact_of_recording(event, caller.actor)
    except Exception:  # whatever it is, the operation itself will meet and tell it
        return None


def _write(prepared: Sequence[tuple[Sending, Event, DomainEvent]], confirmations: Sequence[Statement]) -> None:
    sendings, events, facts = zip(*prepared, strict=True)
    try:
        write_events(events, facts, after=confirmations)
    except (OperationalError, InterfaceError) as error:  # it may have been written: to send it again could double it
        for sending in sendings:
            sending.error = error
    else:
        for sending, event in zip(sendings, events, strict=True):
            _answer(sending, event)


def _answer(sending: Sending, event: Event) -> None:
    try:
        sending.answer = sending.render(event)
    except Exception as error:  # the event is written: nobody may try again
        sending.error = error


RECORDER = Recorder()
