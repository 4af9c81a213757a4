"""What stands between a ticket and production, or between two tickets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.sql import Statement, run
from iep.imports import targets
from iep.maps import specifiers_by_digest
from iep.models import Application, Module, Stamp
from iep.states import OPEN
from iep.types import Conflict, Delta
from iep.validation import SPECIFIERS

# What production has at the ticket's paths; of other open tickets only what concerns this one; what its files import.
_AROUND = """
SELECT 'production', path, digest, NULL::jsonb FROM iep_module
WHERE application_id = %(application)s AND path = ANY(%(paths)s::text[])
UNION ALL (
    SELECT 'ticket', ticket.key, NULL, (
        SELECT jsonb_object_agg(path, stamp.delta -> path -> 'digest')
        FROM unnest(%(paths)s::text[]) AS path WHERE stamp.delta ? path
    )
    FROM iep_stamp stamp JOIN tickets_ticket ticket ON ticket.id = stamp.ticket_id
    WHERE stamp.application_id = %(application)s AND stamp.stage = ANY(%(open)s::text[])
        AND stamp.delta ?| %(paths)s::text[] AND stamp.id <> %(stamp)s
    ORDER BY ticket.key LIMIT 50
)
UNION ALL
SELECT 'imports', NULL, digest, to_jsonb(imports) FROM iep_blob
WHERE application_id = %(application)s AND digest = ANY(%(digests)s::text[]) AND imports IS NOT NULL
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


def around(stamp: Stamp, delta: Delta) -> Statement:
    """What `conflicts_of` must know of the stamp with this delta."""
    digests = [entry["digest"] for entry in delta.values() if entry["digest"]]
    return _AROUND, {
        "application": stamp.application_id, "paths": list(delta), "digests": digests, "open": list(OPEN), "stamp": stamp.pk,
    }  # fmt: skip


def conflicts_of(stamp: Stamp, rows: Sequence[Sequence[Any]] | None = None) -> list[Conflict]:
    """All of them; those that block a release first. `rows` are what was `around`, for who asked already."""
    if not stamp.is_open or not stamp.delta:
        return []
    if rows is None:
        rows = run(*around(stamp, stamp.delta))
    there = {name: digest for kind, name, digest, _ in rows if kind == "production"}
    others = [(name, _read(told)) for kind, name, _, told in rows if kind == "ticket"]
    imports = {digest: _read(told) for kind, _, digest, told in rows if kind == "imports"}
    return [
        *changed_in_production(stamp, there),
        *_same_paths(stamp, others),
        *(_changed_dependencies(stamp, imports) if imports else ()),
    ]


def _read(told: Any) -> Any:
    return json.loads(told) if isinstance(told, str) else told


def _same_paths(stamp: Stamp, others: Iterable[tuple[str, Mapping[str, str | None]]]) -> list[Conflict]:
    """Paths that other open tickets change too, to something else."""
    return [
        Conflict("same_key", path, ticket, f"{ticket} changes {path} too.")
        for ticket, digests in others
        for path, digest in sorted(digests.items())
        if digest != stamp.delta[path]["digest"]
    ]


def _changed_dependencies(stamp: Stamp, imports: Mapping[str, Sequence[str]]) -> list[Conflict]:
    """Files that the ticket's own import directly and that production changed since the ticket began: only a hint."""
    digests = {entry["digest"]: path for path, entry in stamp.delta.items() if entry["digest"]}
    used: dict[str, str] = {}
    names = _names(stamp)
    for digest, specifiers in imports.items():
        for target in targets(digests[digest], specifiers, names):
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
