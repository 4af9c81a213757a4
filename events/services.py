"""Publishing facts: one row in the append-only log, in the caller's transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from accounts.models import Tenant, User
from core import context
from core.clock import now
from core.rows import insert_rows, new_row, prepared
from core.sql import Statement, run_all, run_last, transact
from events.models import GENESIS_HASH, DomainEvent
from events.types import Audience, Subject

# Any constant will do, as long as every writer of the log takes the same one.
_LOG_LOCK = 0x57A6EFAC
NOTIFY_CHANNEL = "facts"
_LOCK = "SELECT pg_advisory_xact_lock(%s::bigint), pg_notify(%s, '')"
_LOCK_VALUES = [_LOG_LOCK, NOTIFY_CHANNEL]
_GIVEN = [
    field for field in DomainEvent._meta.concrete_fields if field.name not in {"sequence", "previous_hash", "hash"}
]
# The database hashes, because only it knows the head, and each round trip before the commit would be waited for by all.
_INSERT = f"""
WITH head AS MATERIALIZED (
    SELECT COALESCE(last.sequence, 0) AS sequence, COALESCE(last.hash, '{GENESIS_HASH}') AS hash
    FROM (SELECT) AS one
    LEFT JOIN (SELECT sequence, hash FROM events_domainevent ORDER BY sequence DESC LIMIT 1) AS last ON true
)
INSERT INTO events_domainevent ({", ".join(str(field.column) for field in _GIVEN)}, sequence, previous_hash, hash)
VALUES ({", ".join(["%s"] * len(_GIVEN))}, (SELECT sequence + 1 FROM head), (SELECT hash FROM head), (
    SELECT encode(sha256(convert_to(
        %s::text || hash || %s::text || (sequence + 1)::text || %s::text, 'UTF8')), 'hex') FROM head
))
RETURNING sequence, previous_hash, hash
"""  # noqa: S608 (our own columns)
_HEAD = "SELECT sequence, hash FROM events_domainevent ORDER BY sequence DESC LIMIT 1"


def publish(
    *,
    type: str,
    subject: Subject,
    tenant: Tenant | None,
    by: User | None,
    data: dict[str, Any],
    audience: Audience,
    at: dt.datetime | None = None,
) -> DomainEvent:
    """Append one fact; `by=None` is the system itself, `at` the moment it happened (default: now).

    Call it last in the caller's transaction: from here to the commit no other fact can be written, which is what makes
    the sequence gap-free for readers with a cursor. TransactionManagementError outside a transaction.
    """
    return append(compose(type=type, subject=subject, tenant=tenant, by=by, data=data, audience=audience, at=at))


def compose(
    *,
    type: str,
    subject: Subject,
    tenant: Tenant | None,
    by: User | None,
    data: dict[str, Any],
    audience: Audience,
    at: dt.datetime | None = None,
) -> DomainEvent:
    """The fact as `publish` would write it, through the face and the request that run now; `append_all` writes it."""
    values = {
        "type": type,
        "tenant_id": tenant.pk if tenant else None,
        "subject_type": subject.type,
        "subject_id": subject.id,
        "subject_label": subject.label[:300],
        "actor_id": by.public_id if by else None,
        "actor_label": by.email if by else "system",
        "surface": context.surface.get(),
        "request_id": context.request_id.get()[:100],
        "data": data,
        "audience_capability": audience.capability.value if audience.capability else "",
        "audience_users": list(audience.users),
    }
    fact = new_row(DomainEvent, values | ({"occurred_at": at} if at else {}))
    if tenant:
        fact._state.fields_cache["tenant"] = tenant
    return fact


def append(fact: DomainEvent, *, after: Sequence[Statement] = ()) -> DomainEvent:
    """Give `fact` the next place in the log and its hash; for facts that happened elsewhere, else use `publish`.

    The statements that it comes `after` are sent with it, in one round trip.
    """
    append_after(fact, after)
    return fact


def append_after(
    fact: DomainEvent, statements: Sequence[Statement], *, last: bool = False
) -> list[list[tuple[Any, ...]]]:
    """As `append`, with the rows of the statements that were sent before it; the `last` of its transaction commits it."""
    _check_transaction()
    send = run_last if last else run_all
    *rows, _, (place,) = send(*statements, *_appending([fact]))
    _take_place(fact, place)
    return rows


def transact_with(facts: Sequence[DomainEvent], *, after: Sequence[Statement]) -> None:
    """Carry out the statements and append the facts, in a transaction of their own that takes one round trip."""
    rows = transact(*after, *_appending(facts))
    for fact, (place,) in zip(facts, rows[-len(facts) :], strict=True):
        _take_place(fact, place)


def _appending(facts: Sequence[DomainEvent]) -> list[Statement]:
    """The statements that write the facts one behind the other."""
    # The lock must be had before the head is read, hence several: each sees what is there when it starts.
    statements: list[Statement] = [(_LOCK, _LOCK_VALUES)]
    for fact in facts:
        fact.occurred_at = fact.occurred_at or now()
        statements.append((_INSERT, [*prepared(fact, _GIVEN), *fact.text_around_place()]))
    return statements


def _take_place(fact: DomainEvent, place: Sequence[Any]) -> None:
    fact.sequence, fact.previous_hash, fact.hash = place
    fact._state.adding, fact._state.db = False, connection.alias


def append_all(facts: Sequence[DomainEvent], *, after: Sequence[Statement] = ()) -> None:
    """As `append`, one after the other; for many, in two round trips."""
    if len(facts) == 1:
        append(facts[0], after=after)
        return
    _check_transaction()
    if not facts:
        return
    *_, head = run_all(*after, (_LOCK, _LOCK_VALUES), (_HEAD, ()))
    sequence, digest = next(iter(head), (0, GENESIS_HASH))
    for fact in facts:
        fact.sequence, fact.previous_hash = sequence + 1, digest
        fact.occurred_at = fact.occurred_at or now()
        fact.hash = fact.compute_hash()
        sequence, digest = fact.sequence, fact.hash
    insert_rows(facts)


def _check_transaction() -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("A fact is published in the transaction of what it tells of.")
