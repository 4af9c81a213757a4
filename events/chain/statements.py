"""What sources say: things with claims about them, ways between them, all under one reference and version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from events.chain.kinds import EdgeKind, NodeKind

Ref = tuple[str, str]  # kind and key of a thing


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing and what is claimed of it: label, state, service, environment, version, url, rollback, at, ended_at, gone.

    `chains` are ids of chains that it belongs to.
    """

    kind: NodeKind
    key: str
    claims: dict[str, Any] = field(default_factory=dict)
    chains: tuple[str, ...] = ()

    @property
    def ref(self) -> Ref:
        return self.kind.value, self.key


@dataclass(frozen=True, slots=True)
class Way:
    """From a cause to what came of it."""

    cause: Ref
    effect: Ref
    kind: EdgeKind


@dataclass(slots=True)
class Statement:
    """One source's word, such as a Tracker event: `ref` names it within its tenant.

    Of two with the same `ref` the ways of the one with the higher `version` hold; of two claims the one with the later
    `at`. So the order in which statements arrive makes no difference. `audiences` are capabilities whose holders may know
    of the things named here, or `capability:user` for one person.
    """

    tenant_id: int
    ref: str
    version: int
    at: dt.datetime
    audiences: tuple[str, ...]
    things: list[Thing] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)

    def name(self, kind: NodeKind, key: str, *, chains: Sequence[str] = (), **claims: Any) -> Ref:
        """A thing that this statement speaks of; None is not claimed, an empty text says that there is none."""
        told = {name: value for name, value in claims.items() if value is not None}
        thing = Thing(kind, key, told, tuple(chains))
        self.things.append(thing)
        return thing.ref

    def lead(self, cause: Ref | None, kind: EdgeKind, effect: Ref | None) -> None:
        """A way from `cause` to `effect`; nothing when either is missing or both are the same."""
        if cause is not None and effect is not None and cause != effect:
            self.ways.append(Way(cause, effect, kind))

    def lead_all(self, causes: Iterable[Ref], kind: EdgeKind, effect: Ref) -> None:
        for cause in causes:
            self.lead(cause, kind, effect)
