"""Questions to the graph: the chain of a thing, what runs where, which tickets went out, what may have caused an incident."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from accounts.models import Tenant, User
from core.errors import NotFound
from events.chain.keys import change_key, split_purl, ticket_key
from events.chain.kinds import EdgeKind, NodeKind, State, environment_named
from events.chain.sight import audiences_of
from events.chain.walking import MOST_DEPTH, MOST_NODES, Chain, Direction, Node, walk
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
    found = list(nodes.filter(key=_normal(kind, key))[:1]) or list(_similar(nodes, kind, key)[:MOST_STARTS])
    if not found:
        raise NotFound(f"There is no {kind.label.lower()} {key[:100]!r} on any chain that you may see.")
    return found


def _normal(kind: NodeKind, key: str) -> str:
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


@dataclass(slots=True)
class Cargo:
    """What a deployment brought: since which earlier deployment, and which tickets, changes and commits."""

    deployment: ChainNode
    since: ChainNode | None
    tickets: list[Node]
    changes: list[Node]
    commits: list[Node]


def cargo_of(user: User, tenant: Tenant, deployment: ChainNode) -> Cargo:
    """What came with `deployment` since the last good one of the same service and environment.

    That is: whatever leads to this deployment but not to that one, with the commits of the same repository that were made
    between those two; and the tickets that this deployment or its request names itself.
    """
    previous = previous_deployment(user, tenant, deployment)
    mine = _work_behind(user, tenant, deployment)
    theirs = {node.id for node in _work_behind(user, tenant, previous).nodes} if previous else set()
    fresh = {node.id: node for node in mine.nodes if node.id not in theirs}
    direct = _named_directly(mine)
    between = _commits_between(user, tenant, mine, theirs) if previous else []
    if between:
        more = walk(
            tenant_id=tenant.pk, starts=between, audiences=audiences_of(user, tenant.pk),
            direction=Direction.ANCESTORS, skip=(*_ASIDE, EdgeKind.PRECEDES),
        )  # fmt: skip
        fresh |= {node.id: node for node in more.nodes if node.id not in theirs}
    tickets = {node.id: node for node in mine.nodes if node.kind == NodeKind.TICKET and node.id in direct}
    tickets |= {pk: node for pk, node in fresh.items() if node.kind == NodeKind.TICKET}
    tickets |= _tickets_of(user, tenant, fresh.values())
    return Cargo(
        deployment,
        previous,
        sorted(tickets.values(), key=lambda node: node.key),
        [node for node in fresh.values() if node.kind == NodeKind.CHANGE],
        [node for node in fresh.values() if node.kind == NodeKind.COMMIT],
    )


def previous_deployment(user: User, tenant: Tenant, deployment: ChainNode) -> ChainNode | None:
    """The last good deployment of the same service and environment before this one."""
    return (
        visible_nodes(user, tenant)
        .filter(
            kind=NodeKind.DEPLOYMENT, service=deployment.service, environment=deployment.environment,
            state__in=[State.SUCCEEDED, State.ROLLED_BACK], at__lt=deployment.at,
        )
        .order_by("-at", "-id")
        .first()
    )  # fmt: skip


def _work_behind(user: User, tenant: Tenant, deployment: ChainNode) -> Chain:
    return walk(
        tenant_id=tenant.pk, starts=[deployment.pk], audiences=audiences_of(user, tenant.pk),
        direction=Direction.ANCESTORS, skip=_ASIDE,
    )  # fmt: skip


def _named_directly(chain: Chain) -> set[int]:
    """The tickets that the deployment or a request behind it names."""
    kinds = {node.id: node.kind for node in chain.nodes}
    by = {NodeKind.DEPLOYMENT.value, NodeKind.REQUEST.value}
    return {cause for cause, kind, effect in chain.ways if kind == EdgeKind.NAMES and kinds.get(effect) in by}


def _tickets_of(user: User, tenant: Tenant, work: Iterable[Node]) -> dict[int, Node]:
    """The tickets that commits and changes name, also those that an earlier deployment carried a part of."""
    starts = [node.id for node in work if node.kind in (NodeKind.COMMIT, NodeKind.CHANGE)]
    if not starts:
        return {}
    found = walk(
        tenant_id=tenant.pk, starts=starts, audiences=audiences_of(user, tenant.pk), direction=Direction.ANCESTORS,
        depth=1, skip=[kind for kind in EdgeKind if kind != EdgeKind.NAMES],
    )  # fmt: skip
    return {node.id: node for node in found.nodes if node.kind == NodeKind.TICKET}


def _commits_between(user: User, tenant: Tenant, mine: Chain, theirs: set[int]) -> list[int]:
    """The commits of the deployed commits' repositories that are newer than the last one deployed before."""
    commits = [node for node in mine.nodes if node.kind == NodeKind.COMMIT and node.service]
    before = dict(
        ChainNode.objects.filter(pk__in=theirs, kind=NodeKind.COMMIT).exclude(service="").order_by("at")
        .values_list("service", "at")
    )  # fmt: skip
    latest: dict[str, Node] = {}
    for node in commits:
        if node.service not in latest or latest[node.service].at < node.at:
            latest[node.service] = node
    found: list[int] = []
    for repository, head in latest.items():
        if repository in before:
            between = visible_nodes(user, tenant).filter(
                kind=NodeKind.COMMIT, service=repository, version=head.version, at__gt=before[repository],
                at__lte=head.at,
            )  # fmt: skip
            found += between.values_list("pk", flat=True)[:MOST_NODES]
    return found


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
