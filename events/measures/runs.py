"""The finished deployments and the incidents they caused, as far as the measures need them: two queries at any size."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection
from django.db.models import Q

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import grants_of
from events.chain.kinds import FINISHED, NodeKind, State, environment_named
from events.chain.sight import SCOPES
from events.measures.twins import reporter_of, without_twins
from events.models import ChainNode

MOST_READ = 3000
MOST_BEHIND = 50


@dataclass(frozen=True, slots=True)
class Target:
    """What is deployed where."""

    tenant: str
    service: str
    environment: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What is measured: a period, and what it is narrowed to; empty means all that the person may see."""

    since: dt.datetime
    until: dt.datetime
    tenant: str = ""
    service: str = ""
    environment: str = ""


@dataclass(slots=True)
class Run:
    """One finished deployment.

    `begun` are the moments at which the changes it carried were made (or asked for, when that is all that is known);
    `incidents` when each incident that it caused began and ended. `repeats` are the other sources that reported it, which
    `reporter` (who told of it), `version` and `marks` (what was deployed) tell: see `twins.py`.
    """

    finished_at: dt.datetime
    state: str
    target: Target
    rollback: bool = False
    begun: list[dt.datetime] = field(default_factory=list)
    incidents: list[tuple[dt.datetime, dt.datetime | None]] = field(default_factory=list)
    id: int = 0
    version: str = ""
    reporter: str = ""
    marks: frozenset[tuple[str, int]] = frozenset()
    repeats: int = 0


def visible_to(user: User) -> Q:
    """The condition for things that `user` may see, in all tenants at once."""
    grants, token = grants_of(user), getattr(user, "acting_token", None)
    usable = {name for name, scope in SCOPES.items() if token is None or scope in token.scopes}

    def audiences(held: Iterable[str]) -> list[str]:
        return [
            f"{name}:{user.pk}" if name == Capability.VIEW_OWN_PROMOTIONS else name for name in sorted({*held} & usable)
        ]

    rule = Q(audiences__overlap=audiences(grants.everywhere))
    alike: dict[frozenset[str], list[int]] = {}
    for tenant_id, held in grants.by_tenant.items():
        alike.setdefault(held, []).append(tenant_id)
    for held, tenants in alike.items():
        rule |= Q(tenant__in=tenants, audiences__overlap=audiences(held))
    return rule & Q(gone=False)


def finished_runs(user: User, scope: Scope) -> list[Run]:
    """The deployments that ended in the period, oldest first; of more than 3,000 the newest."""
    nodes = ChainNode.objects.filter(
        visible_to(user), kind=NodeKind.DEPLOYMENT, state__in=FINISHED, ended_at__gte=scope.since,
        ended_at__lt=scope.until,
    )  # fmt: skip
    if scope.tenant:
        nodes = nodes.filter(tenant__slug=scope.tenant)
    if scope.service:
        nodes = nodes.filter(service=scope.service)
    if scope.environment:
        nodes = nodes.filter(environment=environment_named(scope.environment))
    rows = nodes.order_by("-ended_at", "-id").values_list(
        "id", "ended_at", "state", "tenant__slug", "service", "environment", "rollback", "key", "version"
    )[:MOST_READ]
    runs = [
        Run(
            ended_at, state, Target(tenant, service, environment), rollback, id=pk, reporter=reporter_of(key),
            version=version.removeprefix("v"),
        )
        for pk, ended_at, state, tenant, service, environment, rollback, key, version in rows
        if ended_at is not None
    ][::-1]  # fmt: skip
    return _with_what_hangs_on(runs)


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that a run carried or caused."""

    kind: str
    id: int
    at: dt.datetime
    ended_at: dt.datetime | None


_AROUND = """
WITH RECURSIVE behind(run, id) AS (
    SELECT id, id FROM unnest(%(runs)s::bigint[]) AS given(id)
    UNION
    SELECT behind.run, step.from_node_id FROM behind CROSS JOIN LATERAL (
        SELECT edge.from_node_id FROM events_chainedge AS edge
        WHERE edge.to_node_id = behind.id AND edge.kind = ANY(%(ways)s)
        LIMIT %(most)s
    ) AS step
)
SELECT behind.run, node.kind, node.id, node.at, node.ended_at
FROM behind JOIN events_chainnode AS node ON node.id = behind.id
WHERE node.kind IN ('commit', 'change', 'request') AND NOT node.gone AND node.known
UNION ALL
SELECT edge.from_node_id, node.kind, node.id, node.at, node.ended_at
FROM events_chainedge AS edge JOIN events_chainnode AS node ON node.id = edge.to_node_id
WHERE edge.from_node_id = ANY(%(runs)s) AND edge.kind = 'caused' AND node.kind = 'incident' AND NOT node.gone
"""
_WAYS = ["part_of", "merged_as", "built", "produced", "same", "asked", "deployed"]
_BEST = ("commit", "change", "request")


def _with_what_hangs_on(runs: Sequence[Run]) -> list[Run]:
    """Each once, with what it carried and the incidents it caused; a change counts with the first run of its target only."""
    if not runs:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_AROUND, {"runs": [run.id for run in runs], "ways": _WAYS, "most": MOST_BEHIND})
        rows = cursor.fetchall()
    around: dict[int, list[Thing]] = {}
    for run_id, *thing in rows:
        around.setdefault(run_id, []).append(Thing(*thing))
    for run in runs:
        run.marks = frozenset((thing.kind, thing.id) for thing in around.get(run.id, ()) if thing.kind in _BEST)
    arrived: set[tuple[Target, int]] = set()
    counted = []
    for run, others in without_twins(runs):
        things = [thing for one in (run, *others) for thing in around.get(one.id, ())]
        incidents = {(thing.at, thing.ended_at) for thing in things if thing.kind == NodeKind.INCIDENT}
        run.incidents = sorted(incidents, key=str)
        counted.append(run)
        if run.rollback or run.state == State.FAILED:
            continue
        best = next((kind for kind in _BEST if any(thing.kind == kind for thing in things)), "")
        fresh = {thing.id: thing.at for thing in things if thing.kind == best and (run.target, thing.id) not in arrived}
        arrived |= {(run.target, pk) for pk in fresh}
        run.begun = sorted(at for at in fresh.values() if at <= run.finished_at)
    return counted
