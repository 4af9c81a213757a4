"""Walking the graph from things to all that they came of and all that came of them: one bounded statement of SQL."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db import connection

from events.chain.kinds import EdgeKind, NodeKind
from events.chain.statements import Ref

MOST_NODES = 2000
MOST_DEPTH = 50
_COLUMNS = (
    "id", "kind", "key", "known", "label", "state", "service", "environment", "version", "url", "rollback", "at",
    "ended_at", "chains",
)  # fmt: skip


class Direction(StrEnum):
    """Which way to walk."""

    BOTH = "both"
    ANCESTORS = "ancestors"
    DESCENDANTS = "descendants"


@dataclass(slots=True)
class Node:
    """A thing on a chain; `depth` is its distance from the start: negative for causes, positive for effects."""

    id: int
    kind: str
    key: str
    known: bool
    label: str
    state: str
    service: str
    environment: str
    version: str
    url: str
    rollback: bool
    at: dt.datetime
    ended_at: dt.datetime | None
    chains: list[str]
    depth: int = 0

    @property
    def pk(self) -> int:
        return self.id

    @property
    def name(self) -> str:
        return self.label or self.key


@dataclass(slots=True)
class Chain:
    """Some things and the ways between them; `truncated` when there is more than was read."""

    nodes: list[Node] = field(default_factory=list)
    ways: list[tuple[int, str, int]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    truncated: bool = False


# A commit that was built goes its way through its build; only one that was not goes on with the next commit pushed.
_RULE = """edge.kind <> ALL(%(skip)s) AND (edge.kind <> 'precedes' OR NOT EXISTS (
    SELECT 1 FROM events_chainedge AS own WHERE own.from_node_id = edge.from_node_id AND own.kind = 'built'))"""
# UNION drops what was found before, so a circle ends; LATERAL keeps each step to an index, however many ways lead on.
_STEPS = """
{name}(id) AS (
    SELECT id FROM start
    UNION
    SELECT step.id FROM {name} CROSS JOIN LATERAL (
        SELECT node.id FROM events_chainedge AS edge JOIN events_chainnode AS node ON node.id = edge.{to}
        WHERE edge.{by} = {name}.id AND node.tenant_id = %(tenant)s AND NOT node.gone
            AND node.audiences && %(audiences)s::varchar[] AND {rule}
        LIMIT %(most)s
    ) AS step
)"""
_WALK = f"""
WITH RECURSIVE start(id) AS ({{start}}), {_STEPS.format(name="back", by="to_node_id", to="from_node_id", rule=_RULE)}
, {_STEPS.format(name="forth", by="from_node_id", to="to_node_id", rule=_RULE)}
, found(id) AS MATERIALIZED (
    SELECT id FROM start
    UNION SELECT id FROM (SELECT id FROM back LIMIT %(back)s) AS causes
    UNION SELECT id FROM (SELECT id FROM forth LIMIT %(forth)s) AS effects
)
SELECT {", ".join(f"node.{name}" for name in _COLUMNS)}, onward.ways, node.id IN (SELECT id FROM start)
FROM found JOIN events_chainnode AS node USING (id) LEFT JOIN (
    SELECT edge.from_node_id AS id, jsonb_agg(DISTINCT jsonb_build_array(edge.kind, edge.to_node_id)) AS ways
    FROM found JOIN events_chainedge AS edge ON edge.from_node_id = found.id JOIN found AS met ON met.id = edge.to_node_id
    GROUP BY edge.from_node_id
) AS onward USING (id)
"""  # noqa: S608 (composed of constants)

_SEEN = "tenant_id = %(tenant)s AND NOT gone AND audiences && %(audiences)s::varchar[]"
_FROM_THESE = _WALK.format(
    start=f"SELECT id FROM events_chainnode WHERE {_SEEN} AND (id = ANY(%(starts)s) OR kind = %(kind)s AND key = %(key)s)"  # noqa: S608
)
# The last good deployment before one; that of the same version is the same one, told by another source or once more.
_FROM_BEFORE = _WALK.format(
    start=f"""
    SELECT id FROM events_chainnode
    WHERE {_SEEN} AND kind = 'deployment' AND service = %(service)s AND environment = %(environment)s AND at < %(at)s
        AND state IN ('succeeded', 'rolled_back') AND (version = '' OR version <> %(version)s)
    ORDER BY at DESC, id DESC LIMIT 1
"""  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Before:
    """Where a walk starts: at the last good deployment of the same service and environment before this one."""

    service: str
    environment: str
    version: str
    at: dt.datetime


def walk(
    *,
    tenant_id: int,
    starts: Sequence[int] | Ref | Before,
    audiences: Sequence[str],
    direction: Direction = Direction.BOTH,
    depth: int = MOST_DEPTH,
    most: int = MOST_NODES,
    skip: Iterable[EdgeKind] = (),
) -> Chain:
    """The chain of `starts`, oldest first: the nearest `most` things each way, at most `depth` steps away.

    They are ids, the kind and key of one thing, or the deployment before one. What `audiences` may not see is passed by,
    and nothing beyond it found.
    """
    before = starts if isinstance(starts, Before) else None
    kind, key = starts if isinstance(starts, tuple) else ("", "")
    values = {
        "tenant": tenant_id, "starts": [] if isinstance(starts, Before | tuple) else list(starts), "kind": kind, "key": key,
        **(dataclasses.asdict(before) if before else {}),
        "audiences": list(audiences), "most": most + 1,
        "skip": [kind.value for kind in skip],
        "back": 0 if direction == Direction.DESCENDANTS else most + 1,
        "forth": 0 if direction == Direction.ANCESTORS else most + 1,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_FROM_BEFORE if before else _FROM_THESE, values)
        rows = cursor.fetchall()
    return _as_chain(rows, depth, most)


def _as_chain(rows: Sequence[Sequence[Any]], depth: int, most: int) -> Chain:
    nodes = {row[0]: Node(*row[: len(_COLUMNS)]) for row in rows}
    begun = {row[0] for row in rows if row[-1]}
    ways = [(row[0], kind, effect) for row in rows for kind, effect in _json(row[-2])]
    chain = Chain(list(nodes.values()), ways, sorted(begun), truncated=len(rows) > most)
    chain = without_messages(chain)
    _measure(chain)
    far = {node.id for node in chain.nodes if abs(node.depth) > depth}
    if far:
        chain.truncated = True
        chain.nodes = [node for node in chain.nodes if node.id not in far]
        chain.ways = [way for way in chain.ways if way[0] not in far and way[2] not in far]
    _sort(chain)
    return chain


def _sort(chain: Chain) -> None:
    """Oldest first; a thing of which nobody said when it was comes no later than what came of it."""
    first: dict[int, dt.datetime] = {node.id: node.at for node in chain.nodes}
    unknown = {node.id for node in chain.nodes if not node.known}
    for cause, _, effect in chain.ways:
        if cause in unknown and effect not in unknown:
            first[cause] = min(first[cause], first[effect])
    chain.nodes.sort(key=lambda node: (first[node.id], node.known, abs(node.depth), node.id))


def _json(value: Any) -> list[Any]:
    return (json.loads(value) if isinstance(value, str) else value) or []


def without_messages(chain: Chain) -> Chain:
    """Received events stand for what they are about: each is that thing; one that was not received yet stays."""
    kinds = {node.id: node.kind for node in chain.nodes}
    stands_for: dict[int, int] = {}
    for cause, kind, effect in chain.ways:
        if kind == EdgeKind.SAME and NodeKind.MESSAGE in (kinds[cause], kinds[effect]):
            message, thing = (cause, effect) if kinds[cause] == NodeKind.MESSAGE else (effect, cause)
            if kinds[thing] != NodeKind.MESSAGE:
                stands_for[message] = min(thing, stands_for.get(message, thing))
    if not stands_for:
        return chain
    ways = {(stands_for.get(cause, cause), kind, stands_for.get(effect, effect)) for cause, kind, effect in chain.ways}
    return Chain(
        [node for node in chain.nodes if node.id not in stands_for],
        sorted(way for way in ways if way[0] != way[2]),
        sorted({stands_for.get(start, start) for start in chain.starts}),
        chain.truncated,
    )


def _measure(chain: Chain) -> None:
    """How far each thing is from the start: along effects, else along causes."""
    onward: dict[int, list[int]] = {}
    backward: dict[int, list[int]] = {}
    for cause, _, effect in chain.ways:
        onward.setdefault(cause, []).append(effect)
        backward.setdefault(effect, []).append(cause)
    after, before = _distances(chain.starts, onward), _distances(chain.starts, backward)
    for node in chain.nodes:
        if node.id in after:
            node.depth = after[node.id]
        elif node.id in before:
            node.depth = -before[node.id]
        else:
            node.depth = MOST_DEPTH


def _distances(starts: Iterable[int], ways: dict[int, list[int]]) -> dict[int, int]:
    distances = dict.fromkeys(starts, 0)
    frontier = list(distances)
    while frontier:
        reached = [(near, far) for near in frontier for far in ways.get(near, ()) if far not in distances]
        frontier = []
        for near, far in reached:
            if far not in distances:
                distances[far] = distances[near] + 1
                frontier.append(far)
    return distances
