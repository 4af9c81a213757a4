"""The one place where production changes: a compare-and-swap to the next revision, written as it was and as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from accounts.models import User
from core.errors import StaleState
from core.failpoints import failpoint
from core.rows import insert
from core.sql import run
from iep.errors import Twins
from iep.models import Application, Release, ReleaseKind, Stamp
from iep.validation import fold

# digest and size; None where there is no file.
Content = tuple[str, int] | None


_CONTENTS = "SELECT path, digest, size FROM iep_module WHERE application_id = %s AND folded = ANY(%s)"
_CHANGES = """
INSERT INTO iep_change (release_id, application_id, revision, path, before, before_size, after, after_size)
SELECT %s::bigint, %s::bigint, %s::int, change.*
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::bigint[]) AS change
"""
_GONE = "DELETE FROM iep_module WHERE application_id = %s AND path = ANY(%s)"
_THERE = """
INSERT INTO iep_module (application_id, revision, path, folded, digest, size)
SELECT %s::bigint, %s::int, module.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) AS module
ON CONFLICT (application_id, path)
DO UPDATE SET digest = EXCLUDED.digest, size = EXCLUDED.size, revision = EXCLUDED.revision
"""
_MOVE = "UPDATE iep_application SET revision = revision + 1 WHERE id = %s AND revision = %s RETURNING revision"


def contents_of(application: Application, paths: Iterable[str]) -> dict[str, tuple[str, int]]:
    """What production has at these paths, and at those that differ from one of them only by case."""
    rows = run(_CONTENTS, [application.pk, [fold(path) for path in paths]])
    return {path: (digest, size) for path, digest, size in rows}


def refuse_twins(there: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Twins when a path that comes new differs only by case from one that stays.

    `there` is what contents_of these paths gave, `after` what is to be at them, None for nothing.
    """
    coming = {fold(path): path for path, content in after.items() if content and path not in there}
    staying = (path for path in there if path not in after)
    if found := {coming[fold(path)]: path for path in staying if fold(path) in coming}:
        raise Twins(found)


def move_production(
    application: Application,
    changes: Mapping[str, tuple[Content, Content]],
    *,
    kind: ReleaseKind,
    by: User | None,
    **about: Any,
) -> Release:
    """Production gets its next revision with these (before, after) per path.

    The application must be locked and `before` read under that lock. StaleState when production moved all the same.
    Costs what the change costs, however large the application is.
    """  # fmt: skip
    moved = run(_MOVE, [application.pk, application.revision])
    if not moved:
        raise StaleState(f"Production of {application.slug} moved meanwhile. Look again, then release.")
    revision = application.revision = moved[0][0]
    release = Release(application=application, revision=revision, kind=kind, by=by, **about)
    insert(release)
    _write_changes(release, changes)
    failpoint("production_moved")
    return release


def _write_changes(release: Release, changes: Mapping[str, tuple[Content, Content]]) -> None:
    paths = list(changes)
    sides = [
        [content[place] if content else nothing for content in column]
        for column in zip(*changes.values(), strict=True)
        for place, nothing in ((0, ""), (1, 0))
    ]
    if paths:
        run(_CHANGES, [release.pk, release.application_id, release.revision, paths, *sides])
    if gone := [path for path, (_, after) in changes.items() if after is None]:
        run(_GONE, [release.application_id, gone])
    if there := [(path, fold(path), *after) for path, (_, after) in changes.items() if after is not None]:
        run(_THERE, [release.application_id, release.revision, *(list(column) for column in zip(*there, strict=True))])


def about_release(release: Release, changes: Mapping[str, Any], stamp: Stamp | None) -> dict[str, Any]:
    """What the fact of a release tells besides the stamp."""
    return {
        "release": release.revision,
        "parent": release.revision - 1,
        "kind": release.kind,
        "paths": sorted(changes)[:200],
        "paths_count": len(changes),
        "reason": release.reason,
        "request": release.request,
        "approvals": release.approvals,
        "stamp_revision": stamp.revision if stamp else None,
    }
