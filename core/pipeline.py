"""Statements that leave together: psycopg's pipeline, filled first and sent when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.abc import Params, PQGen, Query
from psycopg.adapt import Transformer


class Queued(psycopg.Cursor[Any]):
    """A cursor for one statement within `at_once`, where it waits for the others. It begins no transaction."""

    def _execute_gen(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> PQGen[None]:
        self._tx = Transformer(self)
        yield from self._maybe_prepare_gen(self._convert_query(query, params), prepare=prepare, binary=binary)
        yield from self._conn._prepared.maintain_gen(self._conn)


@contextmanager
def at_once(connection: psycopg.Connection[Any]) -> Iterator[type[Queued]]:
    """A pipeline that is sent when the block ends, or not at all when that fails; gives the class of its cursors.

    By itself psycopg sends each statement when it is executed, and lets other threads run meanwhile: also between the
    statement that takes a lock and those that the lock is held for.
    """
    with connection.pipeline() as pipeline:
        try:
            yield Queued
        except BaseException:
            pipeline.command_queue.clear()
            pipeline.result_queue.clear()
            connection._prepared.clear()  # it counts on what was not sent
            raise
        while pipeline.command_queue:
            pipeline.command_queue.popleft()()
