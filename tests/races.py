"""Calls that start together in threads, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from django.db import connection

from core.errors import DomainError


def at_once(*calls: Callable[[], object], patience: float = 60) -> list[object]:
    """Run the calls in threads that start together; what each returned or raised."""
    barrier = threading.Barrier(len(calls))
    outcomes: list[object] = [TimeoutError("did not end in time")] * len(calls)

    def run(index: int, call: Callable[[], object]) -> None:
        try:
            barrier.wait()
            outcomes[index] = call()
        except Exception as error:
            outcomes[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index, call)) for index, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience)
    return outcomes


def winners(outcomes: Iterable[object]) -> list[object]:
    """What was returned; anything raised must be a refusal of ours."""
    outcomes = list(outcomes)
    unexpected = [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, DomainError)]
    assert not unexpected, unexpected
    return [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
