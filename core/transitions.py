"""Frozen transition tables: (state, verb) -> state, and the fact each edge leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edge:
    """One permitted step: `verb` leads from `source` to `target` and leaves a fact of type `fact`."""

    source: str
    verb: str
    target: str
    fact: str


class TransitionTable:
    """All permitted steps of one kind of thing; anything not listed is refused."""

    def __init__(self, name: str, edges: Iterable[Edge]) -> None:
        self.name = name
        self._edges = {(edge.source, edge.verb): edge for edge in edges}

    def __iter__(self) -> Iterator[Edge]:
        return iter(self._edges.values())

    def find(self, state: str, verb: str) -> Edge | None:
        """The edge that `verb` takes from `state`, or None where it is not permitted."""
        return self._edges.get((state, verb))

    def sources(self, verb: str) -> tuple[str, ...]:
        """The states from which `verb` is permitted."""
        return tuple(edge.source for edge in self if edge.verb == verb)

    def verbs(self, state: str) -> tuple[str, ...]:
        """The verbs permitted in `state`."""
        return tuple(edge.verb for edge in self if edge.source == state)
