"""To production and back: release a ticket's delta, take exactly that back again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from accounts.models import User
from core.errors import WrongState
from core.rows import build, columns, width
from core.sql import Statement, run
from iep import permissions
from iep.errors import ChangedSince, KeyConflict
from iep.models import Application, Change, Release, ReleaseKind, Stamp
from iep.selectors.conflicts import changed_in_production
from iep.services.change import lock_application, lock_with_application, take_after, wrong_stage
from iep.services.facts import Rows, publish_about_application
from iep.services.production import Content, about_release, contents_of, move_production, refuse_twins
from iep.states import STAMP, Stage

_BROUGHT = f"""
SELECT {columns(Release, "release")}, change.path, change.before, change.before_size, change.after, change.after_size
FROM iep_release release LEFT JOIN iep_change change ON change.release_id = release.id
WHERE release.application_id = %s AND release.revision = %s ORDER BY change.path
"""  # noqa: S608 (our own columns)


@transaction.atomic
def release_stamp(
    *,
    stamp: Stamp,
    by: User | None,
    revision: int | None = None,
    expected: int | None = None,
    reason: str = "",
    request: str = "",
    approvals: Sequence[dict[str, Any]] = (),
    nonce: str | None = None,
) -> Release:
    """A ticket in QA goes to production as its next revision; leaves `stamp.released`.

    `revision` is the stamp's that was tested and `expected` production's that was seen. `by=None` is the system, under an
    approval (`request`, `approvals`); a `nonce` that released before gives that release again. WrongState, RevisionConflict,
    KeyConflict where production changed under the ticket, Twins: nothing is released then.
    """
    if nonce and (earlier := Release.objects.filter(nonce=nonce).first()):
        return earlier
    if by is not None:
        permissions.check_can_release(by, stamp.application)
    current = lock_with_application(stamp, revision, expected)
    if STAMP.find(current.stage, "release") is None:
        raise wrong_stage(current, "release")
    application = current.application
    changes = _changes(current)

    def tell(release: Release, statements: Sequence[Statement]) -> Rows:
        data = about_release(release, changes, current)
        updates: dict[str, Any] = {"released_revision": release.revision, "sign_off": ""}
        return take_after(statements, current, "release", by=by, data=data, **updates)

    return move_production(
        application, changes, kind=ReleaseKind.RELEASE, by=by, telling=tell, stamp=current,
        stamp_revision=current.revision, reason=reason, request=request, approvals=list(approvals), nonce=nonce,
    )  # fmt: skip


def _changes(stamp: Stamp) -> dict[str, tuple[Content, Content]]:
    """What the ticket does to production as it is now; KeyConflict, Twins."""
    before = contents_of(stamp.application, stamp.delta)
    if conflicts := changed_in_production(stamp, {path: digest for path, (digest, _) in before.items()}):
        raise KeyConflict(conflicts)
    after: dict[str, Content] = {
        path: (entry["digest"], entry["size"]) if entry["digest"] else None for path, entry in stamp.delta.items()
    }
    refuse_twins(before, after)
    return {path: (before.get(path), after[path]) for path in after if before.get(path) != after[path]}


@transaction.atomic
def take_back_release(
    *,
    stamp: Stamp,
    by: User | None,
    reason: str = "",
    request: str = "",
    expected: int | None = None,
    nonce: str | None = None,
) -> Release:
    """Undo exactly what the ticket brought to production, as the next revision; the ticket is in QA again.

    Other tickets' releases stay. Leaves `stamp.taken_back`. WrongState when it is not in production, ChangedSince naming
    the releases that changed the same paths later.
    """  # fmt: skip
    if nonce and (earlier := Release.objects.filter(nonce=nonce).first()):
        return earlier
    if by is not None:
        permissions.check_can_release(by, stamp.application)
    current = lock_with_application(stamp, expected=expected)
    if STAMP.find(current.stage, "take_back") is None:
        raise wrong_stage(current, "take_back")
    application = current.application
    rows = run(_BROUGHT, [application.pk, current.released_revision])
    brought = build(Release, rows[0][: width(Release)])
    changes = _inverse(application, brought, [row[width(Release) :] for row in rows if row[width(Release)]])

    def tell(release: Release, statements: Sequence[Statement]) -> Rows:
        data = about_release(release, changes, current) | {"undoes": brought.revision}
        return take_after(statements, current, "take_back", by=by, data=data, released_revision=None)

    return move_production(
        application, changes, kind=ReleaseKind.REVERT, by=by, telling=tell, stamp=current,
        stamp_revision=current.revision, reason=reason, undoes=brought, request=request, nonce=nonce,
    )  # fmt: skip


def _inverse(
    application: Application, brought: Release, rows: Sequence[Sequence[Any]]
) -> dict[str, tuple[Content, Content]]:
    there = contents_of(application, [row[0] for row in rows])
    undone: dict[str, tuple[Content, Content]] = {}
    later = []
    for path, before, before_size, after, after_size in rows:
        if there.get(path) != ((after, after_size) if after else None):
            later.append(path)
        undone[path] = (there.get(path), (before, before_size) if before else None)
    if later:
        raise _changed_since(application, brought, later)
    refuse_twins(there, {path: after for path, (_, after) in undone.items()})
    return undone


def _changed_since(application: Application, brought: Release, paths: list[str]) -> ChangedSince:
    changes = Change.objects.filter(application=application, revision__gt=brought.revision, path__in=paths)
    others = changes.select_related("release__stamp__ticket").order_by("-revision")
    found = {change.revision: change.release.stamp.ticket.key if change.release.stamp else None for change in others}
    names = ", ".join(f"r{revision} ({ticket or 'no ticket'})" for revision, ticket in found.items())
    return ChangedSince(
        f"{', '.join(paths[:5])} changed again in {names}. Take that back first, or release a correction.",
        details={"paths": paths, "releases": [{"revision": number, "ticket": key} for number, key in found.items()]},
    )


@transaction.atomic
def publish_baseline(
    *, application: Application, files: dict[str, tuple[str, int]], by: User, reason: str = ""
) -> Release:
    """Production becomes exactly these files (path -> digest, size) without a ticket: how an application begins.

    The blobs must be there. Leaves `application.published`. NotAllowed without the right to release, WrongState when
    production has exactly this already.
    """
    permissions.check_can_release(by, application)
    current = lock_application(application)
    there = {path: (digest, size) for path, digest, size in current.modules.values_list("path", "digest", "size")}
    changes: dict[str, tuple[Content, Content]] = {
        path: (there.get(path), files.get(path))
        for path in there.keys() | files.keys()
        if there.get(path) != files.get(path)
    }
    if not changes:
        raise WrongState(f"Production of {current.slug} has exactly these files already.")

    def tell(release: Release, statements: Sequence[Statement]) -> Rows:
        data = about_release(release, changes, None)
        return publish_about_application(current, "application.published", by=by, data=data, after=statements)

    return move_production(current, changes, kind=ReleaseKind.BASELINE, by=by, telling=tell, reason=reason)


def released_by(stamp: Stamp) -> Release | None:
    """The release that has the stamp in production now."""
    return stamp.releases.filter(revision=stamp.released_revision or 0).first() if stamp.stage == Stage.PROD else None
