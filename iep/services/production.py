"""The one place where production changes: a compare-and-swap to the next revision, written as it was and as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db import IntegrityError

from accounts.models import User
from core.errors import StaleState
from core.failpoints import failpoint
from core.rows import insert_of
from core.sql import Statement, run
from iep.errors import Twins
from iep.models import Application, Release, ReleaseKind, Stamp
from iep.services.facts import Rows
from iep.validation import fold

# digest and size; None where there is no file.
Content = tuple[str, int] | None
# Sends the statements that carry a release out, and leaves its fact; their rows.
Telling = Callable[[Release, Sequence[Statement]], Rows]

CONTENTS = "SELECT path, digest, size FROM iep_module WHERE application_id = %s AND folded = ANY(%s)"
_CHANGES = """
INSERT INTO iep_change (release_id, application_id, revision, path, before, before_size, after, after_size)
SELECT release.id, release.application_id, release.revision, change.*
FROM iep_release release, unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::bigint[]) AS change
WHERE release.application_id = %s AND release.revision = %s
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
    rows = run(CONTENTS, [application.pk, [fold(path) for path in paths]])
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
    telling: Telling,
    **about: Any,
) -> Release:
    """Production gets its next revision with these (before, after) per path, in one round trip with its fact.

    The application must be locked and `before` read under that lock. StaleState when production moved all the same.
    Costs what the change costs, however large the application is.
    """  # fmt: skip
    move = (_MOVE, [application.pk, application.revision])
    application.revision += 1
    release = Release(application=application, revision=application.revision, kind=kind, by=by, **about)
    try:
        moved, written, *_ = telling(release, [move, insert_of(release), *_changes_of(release, changes)])
    except IntegrityError as error:
        if "release_once" not in str(error):
            raise
        moved = []
    if not moved:
        raise StaleState(f"Production of {application.slug} moved meanwhile. Look again, then release.")
    release.pk, release._state.adding, release._state.db = written[0][0], False, application._state.db
    failpoint("production_moved")
    return release


def _changes_of(release: Release, changes: Mapping[str, tuple[Content, Content]]) -> Iterator[Statement]:
    paths = list(changes)
    sides = [
        [content[place] if content else nothing for content in column]
        for column in zip(*changes.values(), strict=True)
        for place, nothing in ((0, ""), (1, 0))
    ]
    if paths:
        yield _CHANGES, [paths, *sides, release.application_id, release.revision]
    if gone := [path for path, (_, after) in changes.items() if after is None]:
        yield _GONE, [release.application_id, gone]
    if there := [(path, fold(path), *after) for path, (_, after) in changes.items() if after is not None]:
        columns = (list(column) for column in zip(*there, strict=True))
        yield _THERE, [release.application_id, release.revision, *columns]


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
