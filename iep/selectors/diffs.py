"""A file before and after: what production has, and what the ticket would put there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.errors import NotFound
from iep import storage
from iep.models import Stamp

LONGEST = 512 * 1024


@dataclass(frozen=True, slots=True)
class Side:
    """One version; `text` is None for what is no text or too long to show."""

    digest: str
    size: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    path: str
    before: Side | None
    after: Side | None

    def as_json(self) -> dict[str, Any]:
        sides = {"before": self.before, "after": self.after}
        shown = {
            name: {"digest": side.digest, "size": side.size, "text": side.text} if side else None
            for name, side in sides.items()
        }
        return {"path": self.path, **shown}


def compare_path(stamp: Stamp, path: str) -> Comparison:
    """What the ticket started from at this path and what it has; NotFound when it does not change it."""
    entry = stamp.delta.get(path)
    if entry is None:
        raise NotFound(f"{stamp.ticket.key} does not change {path[:80]!r}.")
    return Comparison(path, _side(entry["base"]), _side(entry["digest"]))


def _side(digest: str | None) -> Side | None:
    if not digest:
        return None
    content = storage.read(digest) or b""
    try:
        text = content.decode() if len(content) <= LONGEST and b"\x00" not in content else None
    except UnicodeDecodeError:
        text = None
    return Side(digest, len(content), text)
