"""What stands between a ticket and production, or between two tickets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from core.sql import run
from iep.imports import targets
from iep.maps import specifiers_by_digest
from iep.models import Application, Module, Stamp
from iep.states import OPEN
from iep.types import Conflict
from iep.validation import SPECIFIERS

_IMPORTS = "SELECT digest, imports FROM iep_blob WHERE application_id = %s AND digest = ANY(%s) AND imports IS NOT NULL"
# Of the other tickets only what concerns this one.
_OTHERS = """
SELECT ticket.key, (
    SELECT jsonb_object_agg(path, stamp.delta -> path -> 'digest')
    FROM unnest(%s::text[]) AS path WHERE stamp.delta ? path
)
FROM iep_stamp stamp JOIN tickets_ticket ticket ON ticket.id = stamp.ticket_id
WHERE stamp.application_id = %s AND stamp.stage = ANY(%s) AND stamp.delta ?| %s::text[] AND stamp.id <> %s
ORDER BY ticket.key LIMIT 50
"""
_DIGESTS = "SELECT path, digest FROM iep_module WHERE application_id = %s AND path = ANY(%s)"


def digests_of(application_id: int, paths: Iterable[str]) -> dict[str, str]:
    """path -> digest as production has it at these paths."""
    return dict(run(_DIGESTS, [application_id, list(paths)]))


def changed_in_production(stamp: Stamp, there: Mapping[str, str] | None = None) -> list[Conflict]:
    """Paths that production changed since the ticket did, other than to what the ticket has.

    `there` are production's digests at the ticket's paths, for who has read them already.
    """
    if there is None:
        there = digests_of(stamp.application_id, stamp.delta)
    return [
        Conflict(
            "changed_in_production", path, None,
            f"Production has another {path} than the ticket started from.",
        )
        for path, entry in sorted(stamp.delta.items())
        if there.get(path) not in (entry["base"], entry["digest"])
    ]  # fmt: skip


def same_paths(stamp: Stamp) -> list[Conflict]:
    """Paths that other open tickets change too."""
    if not stamp.delta or not stamp.is_open:
        return []
    mine = {path: entry["digest"] for path, entry in stamp.delta.items()}
    others = run(_OTHERS, [list(mine), stamp.application_id, list(OPEN), list(mine), stamp.pk])
    return [
        Conflict("same_key", path, ticket, f"{ticket} changes {path} too.")
        for ticket, digests in others
        for path, digest in sorted(_pairs(digests))
        if digest != mine[path]
    ]


def _pairs(digests: str | dict[str, str | None]) -> Iterable[tuple[str, str | None]]:
    found: dict[str, str | None] = json.loads(digests) if isinstance(digests, str) else digests
    return found.items()


def conflicts_of(stamp: Stamp) -> list[Conflict]:
    """All of them; those that block a release first."""
    if not stamp.is_open:
        return []
    return [*changed_in_production(stamp), *same_paths(stamp), *changed_dependencies(stamp)]


def changed_dependencies(stamp: Stamp) -> list[Conflict]:
    """Files that the ticket's own import directly and that production changed since the ticket began: only a hint."""
    digests = {entry["digest"]: path for path, entry in stamp.delta.items() if entry["digest"]}
    used: dict[str, str] = {}
    names: dict[str, str] = {}
    for digest, imports in run(_IMPORTS, [stamp.application_id, list(digests)]):
        names = names or _names(stamp)
        for target in targets(digests[digest], imports or [], names):
            used.setdefault(target, digests[digest])
    others = used.keys() - stamp.delta.keys()
    if not others:
        return []
    moved = Module.objects.filter(application=stamp.application_id, path__in=others, revision__gt=stamp.base_revision)
    return [
        Conflict(
            "dependency_changed", path, None,
            f"{used[path]} imports {path}, which production changed since this ticket began.",
        )
        for path in moved.order_by("path").values_list("path", flat=True)
    ]  # fmt: skip


def _names(stamp: Stamp) -> dict[str, str]:
    """The application's bare specifiers, as the ticket or production has them."""
    entry = stamp.delta.get(SPECIFIERS)
    digest = entry["digest"] if entry else None
    if digest is None:
        row = Module.objects.filter(application=stamp.application_id, path=SPECIFIERS)
        digest = row.values_list("digest", flat=True).first()
    found: dict[str, str] = specifiers_by_digest(digest).get("imports", {}) if digest else {}
    return found


def between(stamps: Iterable[Stamp]) -> list[Conflict]:
    """Paths on which tickets of one preview disagree; the later ticket's file is shown."""
    owner: dict[str, Stamp] = {}
    found = []
    for stamp in stamps:
        for path, entry in sorted(stamp.delta.items()):
            other = owner.get(path)
            if other is not None and other.delta[path]["digest"] != entry["digest"]:
                detail = f"{other.ticket.key} and {stamp.ticket.key} both change {path}; the latter's is shown."
                found.append(Conflict("same_key", path, other.ticket.key, detail))
            owner[path] = stamp
    return found


def conflict_counts(application: Application, stamps: Sequence[Stamp]) -> dict[int, int]:
    """How many conflicts each of these open stamps has, those with each other included; one query for all."""
    paths = {path for stamp in stamps for path in stamp.delta}
    rows = Module.objects.filter(application=application, path__in=paths).order_by()
    there: dict[str, str] = dict(rows.values_list("path", "digest"))
    wanted: dict[str, set[str | None]] = {}
    for stamp in stamps:
        for path, entry in stamp.delta.items():
            wanted.setdefault(path, set()).add(entry["digest"])
    return {
        stamp.pk: sum(
            (there.get(path) not in (entry["base"], entry["digest"])) + (len(wanted[path]) > 1)
            for path, entry in stamp.delta.items()
        )
        for stamp in stamps
    }
