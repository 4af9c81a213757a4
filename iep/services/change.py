"""One change of a stamp: locked, checked against what the caller read, taken along an edge of its table."""

from __future__ import annotations

from typing import Any

from django.db import connection

from accounts.models import User
from core.clock import now
from core.errors import StaleState, WrongState
from iep.errors import RevisionConflict
from iep.models import Application, Stamp, StampRevision
from iep.services.facts import publish_about
from iep.states import STAMP

LOADED = ("application__tenant", "application__project", "ticket__project", "ticket__tenant", "author")


def load(stamp: Stamp) -> Stamp:
    """The stamp as it is now, with all that its answers and facts need."""
    return Stamp.objects.select_related(*LOADED).get(pk=stamp.pk)


def lock(stamp: Stamp, revision: int | None = None) -> Stamp:
    """The stamp as it is now, locked until the commit; RevisionConflict when it is not at `revision` any more.

    Whoever changes both locks the stamp first, then its application.
    """
    assert connection.in_atomic_block, "a change and its fact belong in one transaction"
    current = Stamp.objects.select_for_update(no_key=True, of=("self",)).select_related(*LOADED).get(pk=stamp.pk)
    check_revision(current, revision)
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
    if expected is not None and current.revision != expected:
        raise RevisionConflict(
            f"Production of {current.slug} is at revision {current.revision} now, you saw {expected}. Look again first.",
            code="production_moved",
            details={"production_revision": current.revision},
        )
    return current


def take(stamp: Stamp, verb: str, *, by: User | None, data: dict[str, Any] | None = None, **updates: Any) -> Stamp:
    """Take `verb` from the stage the caller saw, writing `updates` with it, and leave the edge's fact.

    WrongState where the table has no such edge, StaleState when another step came first.
    """
    edge = STAMP.find(stamp.stage, verb)
    if edge is None:
        raise wrong_stage(stamp, verb)
    changed = Stamp.objects.filter(pk=stamp.pk, stage=edge.source, revision=stamp.revision).update(
        stage=edge.target, updated_at=now(), **updates
    )
    if not changed:
        raise StaleState(f"Someone else changed {stamp.ticket.key} meanwhile. Look again, then decide.")
    moved = load(stamp)
    publish_about(moved, edge.fact, by=by, data=data)
    return moved


def keep_revision(stamp: Stamp, production_revision: int, by: User | None) -> None:
    """Remember the delta as it is at this revision."""
    StampRevision.objects.create(
        stamp=stamp, number=stamp.revision, delta=stamp.delta, production_revision=production_revision,
        git=stamp.git, by=by,
    )  # fmt: skip


def wrong_stage(stamp: Stamp, verb: str) -> WrongState:
    possible = ", ".join(sorted(set(STAMP.verbs(stamp.stage)) - {"ask"})) or "nothing"
    return WrongState(
        f"{stamp.ticket.key} is in {stamp.stage}; there it cannot {verb.replace('_', ' ')}. Possible: {possible}.",
        details={"stage": stamp.stage},
    )
