"""Events recorded at the same moment are written in one transaction, by whoever came first of them.

Each recording waits for the fact log's lock and for the disk; together they wait once. Who comes while nobody writes
writes at once; who comes meanwhile waits and is written with all who wait. Each event has its own fact, and its own
outcome: when the common transaction fails, each is written alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from core.rows import insertion_of
from events.models import DomainEvent, Event
from events.services import transact_with


class Place:
    """One event that waits to be written, with its fact."""

    __slots__ = ("error", "event", "fact", "together", "turn")

    def __init__(self, event: Event, fact: DomainEvent) -> None:
        self.event, self.fact = event, fact
        self.error: Exception | None = RuntimeError("The writing was interrupted.")
        self.together: list[Place] = []  # whom to write, once it is this one's turn to do so
        self.turn = threading.Semaphore(0)


class GroupCommit:
    """Hands groups of places to `write`, one group at a time, on the thread of the group's first."""

    def __init__(self, write: Callable[[Sequence[Place]], None]) -> None:
        self._write = write
        self._mutex = threading.Lock()
        self.busy = False
        self.waiting: list[Place] = []

    def submit(self, place: Place) -> None:
        """Returns when the place is written, and raises what kept it from that."""
        with self._mutex:
            if self.busy:
                self.waiting.append(place)
            else:
                self.busy, place.together = True, [place]
        if not place.together:
            place.turn.acquire()
        if place.together:
            try:
                self._carry_out(place.together)
            finally:
                self._pass_on(place)
        if place.error is not None:
            raise place.error

    def _carry_out(self, places: Sequence[Place]) -> None:
        try:
            self._write(places)
        except Exception as error:
            if len(places) == 1:
                places[0].error = error
                return
            for place in places:
                self._carry_out([place])
        else:
            for place in places:
                place.error = None

    def _pass_on(self, done: Place) -> None:
        with self._mutex:
            next_group, self.waiting = self.waiting, []
            self.busy = bool(next_group)
        if next_group:
            next_group[0].together = next_group
            next_group[0].turn.release()
        for place in done.together[1:]:
            place.turn.release()


def _write(places: Sequence[Place]) -> None:
    transact_with([place.fact for place in places], after=[insertion_of([place.event for place in places])])


GROUP = GroupCommit(_write)


def write_together(event: Event, fact: DomainEvent) -> None:
    """Write a new event and its fact, in a transaction that others may share; not for use within another one."""
    GROUP.submit(Place(event, fact))
