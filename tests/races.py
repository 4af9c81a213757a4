"""Calls that start together in threads or processes, each on a connection of its own."""

from __future__ import annotations

import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from typing import TypeVar

from django.db import connection, connections

from core.errors import DomainError

T = TypeVar("T")


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


def in_processes(*calls: Callable[[], T], patience: float = 3000) -> list[T]:
    """What the calls return, each run in a fork of this process; AssertionError with the trace of one that raised.

    For what is to be done fast on several cores. The answers travel pickled.
    """
    connections.close_all()  # a connection must not be in two processes
    context = multiprocessing.get_context("fork")
    running = []
    for call in calls:
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_answer, args=(call, there), daemon=True)
        process.start()
        there.close()
        running.append((process, here))
    answers: list[T] = []
    try:
        for process, here in running:
            assert here.poll(patience), "a process did not end in time"
            answer, trace = here.recv()
            assert not trace, trace
            answers.append(answer)
            process.join(10)
    finally:
        for process, _ in running:
            process.kill()
    return answers


def _answer(call: Callable[[], object], there: Connection) -> None:
    try:
        there.send((call(), ""))
    except BaseException:
        there.send((None, traceback.format_exc()))
    finally:
        there.close()
        os._exit(0)  # nothing of the parent's is to be tidied up here


def winners(outcomes: Iterable[object]) -> list[object]:
    """What was returned; anything raised must be a refusal of ours."""
    outcomes = list(outcomes)
    unexpected = [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, DomainError)]
    assert not unexpected, unexpected
    return [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
