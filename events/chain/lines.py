"""A chain as people read it: one line for each thing, oldest first, with its state, its page and how it came about."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse

from accounts.models import Tenant, User
from core.looks import Look
from events.chain.kinds import EdgeKind, NodeKind, State
from events.chain.sight import audiences_of
from events.chain.walking import Chain, Direction, Node, walk
from events.models import ChainNode

KINDS: dict[str, Look] = {
    NodeKind.TICKET: Look("Ticket", "blue", "ticket"),
    NodeKind.COMMIT: Look("Commit", "grey", "git-commit-horizontal"),
    NodeKind.CHANGE: Look("Change", "violet", "git-pull-request-arrow"),
    NodeKind.BUILD: Look("Build", "grey", "settings"),
    NodeKind.TEST: Look("Test run", "grey", "shield-check"),
    NodeKind.ARTIFACT: Look("Artifact", "grey", "package"),
    NodeKind.IMPORT_MAP: Look("Import map", "grey", "boxes"),
    NodeKind.REQUEST: Look("Request", "blue", "git-pull-request-arrow"),
    NodeKind.APPROVAL: Look("Decision", "green", "check"),
    NodeKind.DEPLOYMENT: Look("Deployment", "green", "rocket"),
    NodeKind.ENVIRONMENT: Look("Environment", "grey", "server"),
    NodeKind.OPERATION: Look("Operation", "grey", "settings"),
    NodeKind.INCIDENT: Look("Incident", "red", "triangle-alert"),
    NodeKind.MESSAGE: Look("Not received yet", "grey", "clock"),
}
STATES: dict[str, Look] = {
    State.PLANNED: Look("Planned", "grey"), State.WAITING: Look("Waiting", "amber"),
    State.RUNNING: Look("Running", "blue", live=True), State.SUCCEEDED: Look("Succeeded", "green"),
    State.FAILED: Look("Failed", "red"), State.CANCELED: Look("Stopped", "grey"),
    State.ROLLED_BACK: Look("Rolled back", "violet"), State.REMOVED: Look("Removed", "grey"),
    State.OPEN: Look("Open", "red"), State.RESOLVED: Look("Resolved", "green"),
    "approved": Look("Approved", "green"), "rejected": Look("Rejected", "red"), "declined": Look("Declined", "red"),
    "pending": Look("Pending", "amber"), "deployed": Look("Deployed", "green"), "merged": Look("Merged", "green"),
    "completed": Look("Completed", "green"), "in_progress": Look("In progress", "blue"),
    "dev": Look("Dev", "blue"), "qa": Look("QA", "violet"), "prod": Look("Production", "green"),
}  # fmt: skip
_TONES = {
    State.FAILED: "red",
    State.ROLLED_BACK: "violet",
    State.CANCELED: "grey",
    "rejected": "red",
    "declined": "red",
}
_NOT_SHOWN = (NodeKind.ENVIRONMENT, NodeKind.MESSAGE)
SHOWN = 40


@dataclass(frozen=True, slots=True)
class ChainLine:
    """One thing of a chain: `address` is a page of ours, `outside` one elsewhere; empty where there is none."""

    node: Node | ChainNode
    look: Look
    tone: str
    state: Look | None
    address: str
    outside: str
    because: str
    itself: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """The lines of a chain; `more` were left out, `address` shows all."""

    lines: list[ChainLine]
    more: int
    address: str


def told_chain(
    user: User, tenant: Tenant, kind: str, key: str, *, most: int = SHOWN, direction: Direction = Direction.BOTH
) -> Told:
    """The chain of a thing for its page: without itself when that is all there is, the newest lines when it is long."""
    address = reverse("chain", args=[kind, key]) + f"?tenant={tenant.slug}"
    audiences = audiences_of(user, tenant.pk)
    lines = lines_of(walk(tenant_id=tenant.pk, starts=(kind, key), audiences=audiences, direction=direction), tenant)
    if len(lines) < 2:
        return Told([], 0, address)
    return Told(lines[-most:], max(len(lines) - most, 0), address)


def lines_of(chain: Chain, tenant: Tenant) -> list[ChainLine]:
    """One line for each thing but environments, oldest first."""
    by_id = {node.id: node for node in chain.nodes}
    causes: dict[int, list[tuple[str, int]]] = {}
    for cause, kind, effect in chain.ways:
        causes.setdefault(effect, []).append((kind, cause))
    return [
        line_of(node, tenant, because=_because(causes.get(node.id, []), by_id), itself=node.id in chain.starts)
        for node in chain.nodes
        if node.kind not in _NOT_SHOWN
    ]


def line_of(node: Node | ChainNode, tenant: Tenant, *, because: str = "", itself: bool = False) -> ChainLine:
    look = KINDS[node.kind]
    return ChainLine(
        node, look, _TONES.get(node.state, look.tone), _state(node), _page(node, tenant) or _chain_page(node, tenant),
        _outside(node), because, itself,
    )  # fmt: skip


def _state(node: Node | ChainNode) -> Look | None:
    """How it stands; an open ticket or change is nothing to worry about, an open incident is."""
    state = node.state
    if not state:
        return None
    if state == State.OPEN and node.kind != NodeKind.INCIDENT:
        return Look("Open", "grey")
    return STATES.get(state, Look(state.replace("_", " ").capitalize(), "grey"))


def _because(causes: list[tuple[str, int]], by_id: dict[int, Node]) -> str:
    """How it came about, by its nearest causes: "deployed by" reads from the cause's side, so it is turned round."""
    told = [f"{_FROM[kind]} {by_id[cause].name}" for kind, cause in sorted(causes) if kind in _FROM and cause in by_id]
    return "; ".join(told[:2]) + (f" and {len(told) - 2} more" if len(told) > 2 else "")


_FROM = {
    EdgeKind.NAMES.value: "names", EdgeKind.PART_OF.value: "contains", EdgeKind.MERGED_AS.value: "merges",
    EdgeKind.BUILT.value: "builds", EdgeKind.TESTED.value: "tests", EdgeKind.PRODUCED.value: "made from",
    EdgeKind.ASKED.value: "asks for", EdgeKind.DECIDED.value: "about", EdgeKind.DEPLOYED.value: "deploys",
    EdgeKind.CAUSED.value: "caused by", EdgeKind.REMEDIED_BY.value: "remedies", EdgeKind.FOLLOWED_BY.value: "follows",
    EdgeKind.TRACKED_BY.value: "tracks", EdgeKind.LINKED.value: "after",
}  # fmt: skip


def _outside(node: Node | ChainNode) -> str:
    """The address that it was told with; that of a change is its key."""
    told = node.url or (node.key if node.kind == NodeKind.CHANGE else "")
    return told if told.startswith(("https://", "http://")) else ""


def _chain_page(node: Node | ChainNode, tenant: Tenant) -> str:
    """What has no page of its own has that of its chain."""
    if node.kind in _NOT_SHOWN or not node.known:
        return ""
    return reverse("chain", args=[node.kind, node.key]) + f"?tenant={tenant.slug}"


def _page(node: Node | ChainNode, tenant: Tenant) -> str:
    names: dict[str, tuple[str, list[Any]]] = {
        NodeKind.TICKET: ("ticket_in", [tenant.slug, node.key]), NodeKind.REQUEST: ("request", [node.key]),
        NodeKind.DEPLOYMENT: ("event", [node.key]), NodeKind.INCIDENT: ("event", [node.key]),
        NodeKind.OPERATION: ("event", [node.key]), NodeKind.IMPORT_MAP: ("iep_stamp", node.key.split("/")),
    }  # fmt: skip
    if node.kind not in names or not node.known or (node.kind == NodeKind.TICKET and node.url):
        return ""
    name, arguments = names[node.kind]
    if name == "event" and not _is_uuid(node.key):
        return ""
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""


def _is_uuid(key: str) -> bool:
    try:
        return str(uuid.UUID(key)) == key
    except ValueError:
        return False
