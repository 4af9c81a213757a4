"""One change of a stamp: locked, checked against what the caller read, taken along an edge of its table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from django.db import DataError, connection, models

from accounts.models import Tenant, User
from core.clock import now
from core.errors import StaleState, WrongState
from core.rows import build, columns, update_of, width
from core.sql import Statement, is_missing, required, run, run_all
from iep.errors import RevisionConflict
from iep.models import Application, Stamp
from iep.services.facts import Rows, publish_about
from iep.states import STAMP
from tickets.models import Ticket

Found = TypeVar("Found", bound=models.Model)
_BOTH = f"""
SELECT {columns(Stamp, "stamp")}, {columns(Application, "application")}
FROM iep_stamp stamp JOIN iep_application application ON application.id = stamp.application_id
"""  # noqa: S608 (our own columns)
_LOCK = f"{_BOTH} WHERE stamp.id = %s FOR NO KEY UPDATE OF stamp"
# The rows are locked in this order, so that two releases never wait for each other.
_LOCK_BOTH = f"{_BOTH} WHERE stamp.id = %s FOR NO KEY UPDATE OF stamp, application"
_LOCK_OF_TICKET = f"{_BOTH} WHERE application.id = %s AND stamp.ticket_id = %s FOR NO KEY UPDATE OF stamp"
_LOAD = f"""
SELECT {columns(Stamp, "stamp")}, {columns(Application, "application")}, {columns(Tenant, "tenant")},
    {columns(Ticket, "ticket")}, {columns(User, "author")}
FROM iep_stamp stamp
JOIN iep_application application ON application.id = stamp.application_id
JOIN accounts_tenant tenant ON tenant.id = application.tenant_id
JOIN tickets_ticket ticket ON ticket.id = stamp.ticket_id
JOIN accounts_user author ON author.id = stamp.author_id
WHERE stamp.id = %s
"""  # noqa: S608 (our own columns)
# As the stamp's row is when this reaches it.
_KEEP = """
INSERT INTO iep_stamprevision (stamp_id, number, delta, production_revision, git, by_id, created_at)
SELECT id, revision, delta, %s::int, git, %s::bigint, %s::timestamptz FROM iep_stamp WHERE id = %s
"""


def load(stamp: Stamp) -> Stamp:
    """The stamp as it is now, with all that its answers and facts need."""
    row = iter(run(_LOAD, [stamp.pk])[0])
    found, application, tenant = _next(Stamp, row), _next(Application, row), _next(Tenant, row)
    application.tenant = tenant
    found.application, found.ticket, found.author = application, _next(Ticket, row), _next(User, row)
    if found.ticket.tenant_id == tenant.pk:
        found.ticket.tenant = tenant
    return found


def _next(model: type[Found], row: Iterator[Any]) -> Found:
    return build(model, list(islice(row, width(model))))


def lock(stamp: Stamp, revision: int | None = None) -> Stamp:
    """The stamp as it is now, locked until the commit; RevisionConflict when it is not at `revision` any more.

    Its application is as it is now, too; ticket and people are the caller's.
    """
    current = _read(run(_LOCK, [_in_transaction(stamp).pk])[0], stamp)
    check_revision(current, revision)
    return current


def lock_with_application(stamp: Stamp, revision: int | None = None, expected: int | None = None) -> Stamp:
    """Like `lock`, its application locked with it, so that production moves one step at a time.

    RevisionConflict also when production is past `expected`.
    """
    current = _read(run(_LOCK_BOTH, [_in_transaction(stamp).pk])[0], stamp)
    check_revision(current, revision)
    check_production(current.application, expected)
    return current


def lock_of_ticket(
    application: Application, ticket: Ticket, revision: int | None, by: User, *, then: Sequence[Statement]
) -> tuple[Stamp | None, Rows]:
    """The ticket's stamp on the application like `lock` gives it, for `by`; None when there is none.

    With the rows of the statements that come `then`, in the same round trip.
    """
    seen = Stamp(application=application, ticket=ticket)
    rows, *others = run_all((_LOCK_OF_TICKET, [_in_transaction(seen).application_id, ticket.pk]), *then)
    if not rows:
        return None, others
    current = _read(rows[0], seen)
    if current.author_id == by.pk:
        current.author = by
    check_revision(current, revision)
    return current, others


def _in_transaction(stamp: Stamp) -> Stamp:
    assert connection.in_atomic_block, "a change and its fact belong in one transaction"
    return stamp


def _read(row: Sequence[Any], seen: Stamp) -> Stamp:
    """The stamp with its application from the columns of both, and the rest as `seen` has it."""
    values = iter(row)
    current = _next(Stamp, values)
    current.application = _next(Application, values)
    current.application.tenant = seen.application.tenant
    current.ticket = seen.ticket
    if Stamp.author.is_cached(seen):
        current.author = seen.author
    return current


def check_revision(stamp: Stamp, revision: int | None) -> None:
    if revision is not None and stamp.revision != revision:
        raise RevisionConflict(
            f"{stamp.ticket.key} is at revision {stamp.revision} now, you read {revision}. Read it again first.",
            details={"revision": stamp.revision},
        )


def lock_application(application: Application, expected: int | None = None) -> Application:
    """The application, locked, so that its production moves one step at a time; RevisionConflict past `expected`."""
    current = (
        Application.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant").get(pk=application.pk)
    )
    check_production(current, expected)
    return current


def check_production(application: Application, expected: int | None) -> None:
    if expected is not None and application.revision != expected:
        raise RevisionConflict(
            f"Production of {application.slug} is at revision {application.revision} now, you saw {expected}. "
            "Look again first.",
            code="production_moved",
            details={"production_revision": application.revision},
        )


def take(stamp: Stamp, verb: str, *, by: User | None, data: dict[str, Any] | None = None, **updates: Any) -> Stamp:
    """Take `verb` from the locked stamp's stage, writing `updates` with it, and leave the edge's fact.

    A new revision is kept, so that it can be looked at again. WrongState where the table has no such edge, StaleState
    when another step came first (only without a lock).
    """
    take_after((), stamp, verb, by=by, data=data, **updates)
    return stamp


def take_after(
    statements: Sequence[Statement],
    stamp: Stamp,
    verb: str,
    *,
    by: User | None,
    data: dict[str, Any] | None = None,
    last: bool = False,
    **updates: Any,
) -> Rows:
    """As `take`, all in one round trip after these statements, and the COMMIT if it is the `last`; their rows."""
    edge = STAMP.find(stamp.stage, verb)
    if edge is None:
        raise wrong_stage(stamp, verb)
    written = updates | {"stage": edge.target, "updated_at": now()}
    step = [required(update_of(stamp, {"stage": edge.source, "revision": stamp.revision}, **written))]
    if "revision" in updates:
        step.append(keeping_revision(stamp, by))
    for name, value in written.items():
        setattr(stamp, name, value)
    try:
        rows = publish_about(stamp, edge.fact, by=by, data=data, after=[*statements, *step], last=last)
    except DataError as error:
        if not is_missing(error):
            raise
        raise StaleState(f"Someone else changed {stamp.ticket.key} meanwhile. Look again, then decide.") from error
    return rows[: len(statements)]


def keeping_revision(stamp: Stamp, by: User | None) -> Statement:
    """The statement that remembers what the stamp's row has now."""
    return _KEEP, [stamp.application.revision, by.pk if by else None, now(), stamp.pk]


def wrong_stage(stamp: Stamp, verb: str) -> WrongState:
    possible = ", ".join(sorted(set(STAMP.verbs(stamp.stage)) - {"ask"})) or "nothing"
    return WrongState(
        f"{stamp.ticket.key} is in {stamp.stage}; there it cannot {verb.replace('_', ' ')}. Possible: {possible}.",
        details={"stage": stamp.stage},
    )
