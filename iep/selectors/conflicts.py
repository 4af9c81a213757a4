"""What stands between a ticket and production, or between two tickets."""

from __future__ import annotations

from collections.abc import Iterable

from iep.models import Module, Stamp
from iep.states import OPEN
from iep.types import Conflict


def changed_in_production(stamp: Stamp) -> list[Conflict]:
    """Paths that production changed since the ticket did, other than to what the ticket has."""
    paths = list(stamp.delta)
    there = dict(Module.objects.filter(application=stamp.application_id, path__in=paths).values_list("path", "digest"))
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
    others = (
        Stamp.objects.filter(application=stamp.application_id, stage__in=OPEN, delta__has_any_keys=list(stamp.delta))
        .exclude(pk=stamp.pk)
        .select_related("ticket")
        .order_by("ticket__key")[:50]
    )
    return [
        Conflict("same_key", path, other.ticket.key, f"{other.ticket.key} changes {path} too.")
        for other in others
        for path in sorted(other.delta.keys() & stamp.delta.keys())
        if other.delta[path]["digest"] != stamp.delta[path]["digest"]
    ]


def conflicts_of(stamp: Stamp) -> list[Conflict]:
    """All of them; those that block a release first."""
    if not stamp.is_open:
        return []
    return [*changed_in_production(stamp), *same_paths(stamp)]


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
