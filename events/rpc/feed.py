"""The facts about events as they are committed, for any number of watchers: one thread reads, each watcher has a queue."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field

import psycopg
import structlog
from django.db import Error, connection

from events.models import DomainEvent
from events.services import NOTIFY_CHANNEL

log = structlog.get_logger(__name__)

TYPES = ("event.recorded", "event.updated", "event.commented", "event.deleted")
BATCH = 500
IDLE_SECONDS = 1.0
LONGEST_QUEUE = 10_000


@dataclass(eq=False)
class Subscription:
    """What one watcher has not read yet. `lost`: it was too slow, and facts were dropped."""

    facts: queue.Queue[DomainEvent] = field(default_factory=lambda: queue.Queue(LONGEST_QUEUE))
    lost: bool = False

    def put(self, fact: DomainEvent) -> None:
        try:
            self.facts.put_nowait(fact)
        except queue.Full:
            self.lost = True


class Feed:
    """Reads the fact log while anyone watches. The log has no gaps, so a position is all that must be remembered."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._lock = threading.Condition()
        self._position: int | None = None
        self._thread: threading.Thread | None = None
        self.stopping = False

    def subscribe(self) -> tuple[Subscription, int]:
        """A queue of all facts after the position that is returned with it."""
        subscription = Subscription()
        with self._lock:
            if self._position is None:
                self._position = head()
            self._subscriptions.add(subscription)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
                self._thread.start()
            self._lock.notify_all()
            return subscription, self._position

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions.discard(subscription)
            if not self._subscriptions:
                self._position = None

    def stop(self) -> None:
        with self._lock:
            self.stopping = True
            self._lock.notify_all()

    def _run(self) -> None:
        while not self.stopping:
            with self._lock:
                while not self._subscriptions and not self.stopping:
                    connection.close()
                    self._lock.wait()
            try:
                self._listen()
            except (Error, psycopg.Error) as error:
                log.warning("feed.database_lost", error=str(error))
                connection.close()
                time.sleep(IDLE_SECONDS)
        connection.close()

    def _listen(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {NOTIFY_CHANNEL}")
        while self._subscriptions and not self.stopping:
            self._pass_on()
            for _ in connection.connection.notifies(timeout=IDLE_SECONDS, stop_after=1):
                pass

    def _pass_on(self) -> None:
        while True:
            with self._lock:
                if self._position is None:
                    return
                facts = read_facts(self._position)
                for fact in facts:
                    for subscription in self._subscriptions:
                        subscription.put(fact)
                if facts:
                    self._position = facts[-1].sequence
            if len(facts) < BATCH:
                return


def head() -> int:
    return DomainEvent.objects.order_by("-sequence").values_list("sequence", flat=True).first() or 0


def read_facts(after: int, until: int | None = None) -> list[DomainEvent]:
    """The next facts about events behind a position, in their order."""
    facts = DomainEvent.objects.filter(sequence__gt=after, type__in=TYPES).order_by("sequence")
    if until is not None:
        facts = facts.filter(sequence__lte=until)
    return list(facts[:BATCH])
