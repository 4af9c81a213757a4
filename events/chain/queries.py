"""Questions to the graph: the chain of a thing, what runs where, which tickets went out, what may have caused an incident."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from accounts.models import Tenant, User
from core.errors import NotFound
from events.chain.keys import change_key, split_purl, ticket_key
from events.chain.kinds import EdgeKind, NodeKind, State, environment_named
from events.chain.sight import SCOPES, audiences_of
from events.chain.walking import MOST_DEPTH, MOST_NODES, Before, Chain, Direction, Node, walk
from events.models import ChainNode

MOST_STARTS = 200
# What leads from a piece of work to the deployment that carries it; everything else joins deployments to one another.
_ASIDE = (EdgeKind.FOLLOWED_BY, EdgeKind.REMEDIED_BY, EdgeKind.CAUSED, EdgeKind.TRACKED_BY, EdgeKind.RUNS_IN)


def visible_nodes(user: User, tenant: Tenant) -> QuerySet[ChainNode]:
    """The things of the tenant that `user` may see."""
    return ChainNode.objects.filter(tenant=tenant, gone=False, audiences__overlap=audiences_of(user, tenant.pk))


def find_nodes(user: User, tenant: Tenant, kind: NodeKind, key: str) -> list[ChainNode]:
    """The things of that kind and key: exactly that one; a commit also by its first seven letters, an artifact or service
    of a deployment by its name alone. NotFound when there is none that `user` may see."""
    nodes = visible_nodes(user, tenant).filter(kind=kind)
    found = list(nodes.filter(key=normal_key(kind, key))[:1]) or list(_similar(nodes, kind, key)[:MOST_STARTS])
    if not found:
        raise NotFound(f"There is no {kind.label.lower()} {key[:100]!r} on any chain that you may see.")
    return found


def normal_key(kind: NodeKind, key: str) -> str:
    """The key under which the graph has what is called so."""
    key = key.replace("\x00", "")
    if kind == NodeKind.TICKET:
        return ticket_key(key)
    if kind == NodeKind.CHANGE:
        return change_key(key)
    return key.lower() if kind == NodeKind.COMMIT else environment_named(key) if kind == NodeKind.ENVIRONMENT else key


def _similar(nodes: QuerySet[ChainNode], kind: NodeKind, key: str) -> QuerySet[ChainNode]:
    key = key.replace("\x00", "")
    if kind == NodeKind.COMMIT and len(key) >= 7:
        return nodes.filter(key__startswith=key.lower())
    if kind == NodeKind.ARTIFACT and key:
        return nodes.filter(Q(key=key.lower()) | Q(key__startswith=f"{key.lower()}@")).order_by("-at")
    return nodes.none()


def find_chain_nodes(user: User, tenant: Tenant, chain_id: str) -> list[ChainNode]:
    """The things that carry this chainId, the first first; NotFound when there is none that `user` may see."""
    found = list(visible_nodes(user, tenant).filter(chains__contains=[chain_id[:200]]).order_by("at")[:MOST_STARTS])
    if not found:
        raise NotFound(f"There is no chain {chain_id[:100]!r} that you may see.")
    return found


def chain_of(
    user: User,
    tenant: Tenant,
    nodes: Iterable[ChainNode],
    *,
    direction: Direction = Direction.BOTH,
    depth: int = MOST_DEPTH,
    most: int = MOST_NODES,
) -> Chain:
    """All that `nodes` came of and all that came of them, as far as `user` may see it."""
    return walk(
        tenant_id=tenant.pk, starts=[node.pk for node in nodes], audiences=audiences_of(user, tenant.pk),
        direction=direction, depth=depth, most=most,
    )  # fmt: skip


# What runs where


@dataclass(frozen=True, slots=True)
class Running:
    """What an environment runs of a service: its newest good deployment."""

    service: str
    environment: str
    version: str
    since: dt.datetime
    deployment: str
    label: str


def environments_of(user: User, tenant: Tenant) -> list[tuple[str, int]]:
    """The environments that anything was deployed to, and how many services each runs."""
    counts: dict[str, int] = {}
    for running in running_in(user, tenant):
        counts[running.environment] = counts.get(running.environment, 0) + 1
    named = visible_nodes(user, tenant).filter(kind=NodeKind.ENVIRONMENT).values_list("key", flat=True)[:500]
    return sorted({**dict.fromkeys(named, 0), **counts}.items())


def running_in(user: User, tenant: Tenant, environment: str = "", *, limit: int = 1000) -> list[Running]:
    """What runs now in the environment (default: in each), by service."""
    ended = visible_nodes(user, tenant).filter(
        kind=NodeKind.DEPLOYMENT, state__in=[State.SUCCEEDED, State.REMOVED], ended_at__isnull=False
    ).exclude(environment="")  # fmt: skip
    if environment:
        ended = ended.filter(environment=environment_named(environment))
    newest = ended.order_by("service", "environment", "-ended_at", "-id").distinct("service", "environment")[:limit]
    return [
        Running(node.service, node.environment, node.version, node.ended_at, node.key, node.label)
        for node in newest
        if node.ended_at is not None and node.state == State.SUCCEEDED
    ]


# Which tickets a deployment carries


Deployment = ChainNode | Node


@dataclass(slots=True)
class Cargo:
    """What a deployment brought: since which earlier deployment, and which tickets, changes and commits."""

    deployment: Deployment
    since: Node | None
    tickets: list[Node]
    changes: list[Node]
    commits: list[Node]


def cargo_of(user: User, tenant: Tenant, deployment: Deployment, *, known: Chain | None = None) -> Cargo:
    """What came with `deployment` since the last good one of another version of the same service and environment.

    That is: whatever leads to this deployment but not to that one, with the commits of the same repository that were made
    between those two; and the tickets that this deployment or its request names itself. `known` is its chain, if that was
    walked already. Four queries at most.
    """
    return _cargo(tenant.pk, audiences_of(user, tenant.pk), deployment, known)


def tickets_carried(tenant_id: int, key: str) -> list[str]:
    """The keys of the tickets that came with the deployment of this key, whoever may see them; for our own rules."""
    found = ChainNode.objects.filter(tenant=tenant_id, kind=NodeKind.DEPLOYMENT, key=key).first()
    return [node.key for node in _cargo(tenant_id, list(SCOPES), found, None).tickets] if found else []


def _cargo(tenant_id: int, audiences: Sequence[str], deployment: Deployment, known: Chain | None) -> Cargo:
    mine = _work_behind(known, deployment.pk) if known else _walk_behind(tenant_id, audiences, [deployment.pk])
    before = Before(deployment.service, deployment.environment, deployment.version, deployment.at)
    past = _walk_behind(tenant_id, audiences, before)
    theirs = {node.id for node in past.nodes}
    fresh = {node.id: node for node in mine.nodes if node.id not in theirs}
    ways = mine.ways
    if between := _commits_between(tenant_id, audiences, mine, past):
        more = walk(
            tenant_id=tenant_id, starts=between, audiences=audiences, direction=Direction.ANCESTORS,
            skip=(*_ASIDE, EdgeKind.PRECEDES),
        )  # fmt: skip
        fresh |= {node.id: node for node in more.nodes if node.id not in theirs}
        ways = ways + more.ways
    tickets = {node.id: node for node in (*mine.nodes, *fresh.values()) if node.kind == NodeKind.TICKET}
    wanted = _named_directly(mine) | _naming(ways, fresh) | (fresh.keys() & tickets.keys())
    return Cargo(
        deployment,
        next((node for node in past.nodes if node.id in past.starts), None),
        sorted((node for pk, node in tickets.items() if pk in wanted), key=lambda node: node.key),
        [node for node in fresh.values() if node.kind == NodeKind.CHANGE],
        [node for node in fresh.values() if node.kind == NodeKind.COMMIT],
    )


def _walk_behind(tenant_id: int, audiences: Sequence[str], starts: list[int] | Before) -> Chain:
    return walk(
        tenant_id=tenant_id, starts=starts, audiences=audiences, direction=Direction.ANCESTORS, skip=_ASIDE
    )  # fmt: skip


def _work_behind(chain: Chain, start: int) -> Chain:
    """The part of a chain that led to the thing, as `_walk_behind` finds it."""
    causes: dict[int, list[int]] = {}
    for cause, kind, effect in chain.ways:
        if kind not in _ASIDE:
            causes.setdefault(effect, []).append(cause)
    found, frontier = {start}, [start]
    while frontier:
        frontier = [cause for effect in frontier for cause in causes.get(effect, ()) if cause not in found]
        found |= set(frontier)
    return Chain(
        [node for node in chain.nodes if node.id in found],
        [way for way in chain.ways if way[0] in found and way[2] in found],
        [start],
        chain.truncated,
    )


def _named_directly(chain: Chain) -> set[int]:
    """The tickets that the deployment or a request behind it names."""
    kinds = {node.id: node.kind for node in chain.nodes}
    by = {NodeKind.DEPLOYMENT.value, NodeKind.REQUEST.value}
    return {cause for cause, kind, effect in chain.ways if kind == EdgeKind.NAMES and kinds.get(effect) in by}


def _naming(ways: Iterable[tuple[int, str, int]], fresh: Mapping[int, Node]) -> set[int]:
    """What names the fresh commits and changes: also tickets that an earlier deployment carried a part of."""
    work = {pk for pk, node in fresh.items() if node.kind in (NodeKind.COMMIT, NodeKind.CHANGE)}
    return {cause for cause, kind, effect in ways if kind == EdgeKind.NAMES and effect in work}


def _commits_between(tenant_id: int, audiences: Sequence[str], mine: Chain, past: Chain) -> list[int]:
    """The commits of the deployed commits' repositories that are newer than the last one deployed before."""
    before: dict[str, dt.datetime] = {}
    for node in past.nodes:
        if node.kind == NodeKind.COMMIT and node.service:
            before[node.service] = max(node.at, before.get(node.service, node.at))
    latest: dict[str, Node] = {}
    for node in mine.nodes:
        known = latest.get(node.service)
        if node.kind == NodeKind.COMMIT and node.service in before and (known is None or known.at < node.at):
            latest[node.service] = node
    spans = Q()
    for repository, head in latest.items():
        spans |= Q(service=repository, version=head.version, at__gt=before[repository], at__lte=head.at)
    if not spans:
        return []
    nodes = ChainNode.objects.filter(
        spans, tenant=tenant_id, kind=NodeKind.COMMIT, gone=False, audiences__overlap=list(audiences)
    )
    return list(nodes.values_list("pk", flat=True)[:MOST_NODES])


def artifact_parts(key: str) -> tuple[str, str]:
    """Name and version of an artifact's key, which is a package URL or name@version."""
    name, version = split_purl(key)
    if name:
        return name, version
    name, _, version = key.rpartition("@")
    return name, version


def open_incidents(tenant: Tenant, service: str, environment: str) -> Sequence[ChainNode]:
    """The incidents of the service in the environment (or in none that is named) that are not resolved."""
    return list(
        ChainNode.objects.filter(
            tenant=tenant, kind=NodeKind.INCIDENT, service=service, state=State.OPEN, gone=False,
            environment__in=[environment_named(environment), ""],
        ).order_by("-at")[:20]
    )  # fmt: skip
