"""What changed before an incident, ranked: each suspect with the reasons why it is one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Tenant, User
from events.chain.kinds import EdgeKind, NodeKind, State
from events.chain.queries import visible_nodes
from events.chain.walking import Node
from events.models import CatalogEntry, ChainEdge, ChainNode

WINDOW = dt.timedelta(hours=72)
MOST_READ = 500
MOST_TOLD = 20

NAMED, SAME_SERVICE, DEPENDENCY, NEIGHBOUR = 100, 50, 30, 10
RECENT, BAD_END, ROLLBACK = 30, 15, 5


@dataclass(slots=True)
class Suspect:
    """Something that changed before the incident; the higher its score, the earlier one should look at it."""

    node: ChainNode
    score: int = 0
    reasons: list[str] = field(default_factory=list)

    def blame(self, points: int, reason: str) -> None:
        self.score += points
        self.reasons.append(reason)


def suspects_of(
    user: User, tenant: Tenant, incident: ChainNode | Node, *, window: dt.timedelta = WINDOW
) -> list[Suspect]:
    """The deployments and operations that may have caused `incident`, the likeliest first.

    What the incident (or a link) names as its cause leads; then what changed in its environment within `window` before
    it began: the service itself, what it depends on, anything else. The later and the worse it ended, the likelier.
    """
    told = ChainEdge.objects.filter(to_node=incident.pk, kind=EdgeKind.CAUSED, from_node=OuterRef("pk"))
    changed = visible_nodes(user, tenant).filter(kind__in=[NodeKind.DEPLOYMENT, NodeKind.OPERATION])
    before = Q(at__gt=incident.at - window, at__lte=incident.at) & ~Q(state=State.PLANNED)
    if incident.environment:
        before &= Q(environment__in=[incident.environment, ""])
    found = changed.annotate(is_named=Exists(told)).filter(before | Q(pk__in=_causes(incident.pk)))
    candidates = list(found.order_by("-is_named", "-at")[:MOST_READ])
    named = {node.pk for node in candidates if node.is_named}
    needed = _dependencies(tenant, incident.service)
    suspects = [_judge(node, incident, window, named, needed) for node in candidates]
    return sorted(suspects, key=lambda suspect: (-suspect.score, -suspect.node.at.timestamp(), suspect.node.pk))[
        :MOST_TOLD
    ]


def _causes(incident: int) -> QuerySet[ChainEdge, int]:
    """What it is recorded as caused by, at most a hundred."""
    edges = ChainEdge.objects.filter(to_node=incident, kind=EdgeKind.CAUSED)
    return edges.values_list("from_node_id", flat=True)[:100]


def _dependencies(tenant: Tenant, service: str) -> set[str]:
    """The services that this one needs, as the catalogue has it from either side."""
    about = CatalogEntry.objects.filter(Q(name=service) | Q(dependencies_in__contains=[service]), tenant=tenant)
    needed: set[str] = set()
    for name, used in about.values_list("name", "dependencies_out"):
        needed |= set(used) if name == service else {name}
    return needed


def _judge(
    node: ChainNode, incident: ChainNode | Node, window: dt.timedelta, named: set[int], needed: set[str]
) -> Suspect:
    suspect = Suspect(node)
    if node.pk in named:
        suspect.blame(NAMED, "The incident is recorded as caused by it.")
    if node.service == incident.service:
        suspect.blame(SAME_SERVICE, f"It changed {incident.service} itself.")
    elif node.service in needed:
        suspect.blame(DEPENDENCY, f"{incident.service} depends on {node.service}.")
    else:
        suspect.blame(NEIGHBOUR, f"It changed something else in {incident.environment or 'an environment'}.")
    ago = max(incident.at - node.at, dt.timedelta(0))
    suspect.blame(max(round(RECENT * (1 - ago / window)), 0), f"It began {spell_span(ago)} before the incident.")
    if node.state == State.FAILED:
        suspect.blame(BAD_END, "It failed.")
    elif node.state == State.ROLLED_BACK:
        suspect.blame(BAD_END, "It was rolled back afterwards.")
    elif node.state == State.RUNNING:
        suspect.blame(BAD_END, "It has not ended.")
    if node.rollback:
        suspect.blame(ROLLBACK, "It went back to an earlier version.")
    return suspect


def spell_span(span: dt.timedelta) -> str:
    """Such as "12 minutes"."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if span.total_seconds() >= size:
            count = int(span.total_seconds() // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"
