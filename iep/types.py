"""Values of stamps: the change of one path, what a developer sends, what stands against a promotion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# path -> {"digest": SHA-256 or None for removed, "size": bytes, "base": digest in production when it was changed, or None}
Delta = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class File:
    """A file by its path, the SHA-256 of its bytes and their number."""

    path: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a developer sends: files as they should be, and paths that should be gone.

    `tree` is a first look at a whole folder: what production had before is an old checkout there, and no change.
    """

    files: tuple[File, ...] = ()
    removed: tuple[str, ...] = ()
    tree: bool = False
    complete_under: tuple[str, ...] = ()
    git: dict[str, Any] | None = None
    imports: Mapping[str, list[str]] = field(default_factory=dict)
    lazy: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conflict:
    """What a person should know before this goes further; `blocks` says that production changed under it."""

    kind: str
    path: str
    ticket: str | None
    detail: str

    @property
    def blocks(self) -> bool:
        return self.kind == "changed_in_production"

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "path": self.path, "ticket": self.ticket, "detail": self.detail}


class Outcome(StrEnum):
    PASS = "pass"
    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One policy's answer, with the reason that every face shows alike."""

    policy: str
    outcome: Outcome
    reason: str

    def as_json(self) -> dict[str, str]:
        return {"policy": self.policy, "outcome": self.outcome.value, "reason": self.reason}
