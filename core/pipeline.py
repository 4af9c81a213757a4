"""Statements that leave together: psycopg's pipeline, filled first and sent when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.abc import Params, PQGen, Query
from psycopg.adapt import Transformer
from psycopg.pq import TransactionStatus


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
    try:
        with connection.pipeline() as pipeline:
            try:
                yield Queued
            except BaseException:
                pipeline.command_queue.clear()
                pipeline.result_queue.clear()
                raise
            while pipeline.command_queue:
                pipeline.command_queue.popleft()()
    except BaseException:
        _forget_prepared(connection)
        raise


def _forget_prepared(connection: psycopg.Connection[Any]) -> None:
    """psycopg counts on what was to be prepared behind a statement that failed, or was not sent at all."""
    is_dirty = connection._prepared.clear()
    if (
        is_dirty and connection.info.transaction_status == TransactionStatus.IDLE
    ):  # within a transaction its end does so
        connection.wait(connection._prepared.maintain_gen(connection))
