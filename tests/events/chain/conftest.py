"""A small world for chains: statements by hand, Tracker events, and reading the log."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Tenant, User
from events.chain.following import follow_log
from events.chain.kinds import EdgeKind, NodeKind
from events.chain.queries import chain_of, find_nodes
from events.chain.statements import Statement
from events.chain.walking import Chain, Direction
from events.models import ChainNode, Event
from events.tracker.records import record_event
from events.tracker.vocabulary import Environment, Status, Type

MOMENT = dt.datetime(2031, 5, 31, 12, tzinfo=dt.UTC)
EVERYONE = ("view_events",)


def said(
    tenant: Tenant, ref: str = "a", *, version: int = 1, at: dt.datetime = MOMENT, audiences: tuple[str, ...] = EVERYONE
) -> Statement:
    """A statement that says nothing yet."""
    return Statement(tenant.pk, ref, version, at, audiences)


def line(tenant: Tenant, *keys: str, kind: NodeKind = NodeKind.BUILD, ref: str = "line") -> Statement:
    """Things that each lead to the next."""
    told = said(tenant, ref)
    named = [told.name(kind, key, label=key) for key in keys]
    for cause, effect in itertools.pairwise(named):
        told.lead(cause, EdgeKind.LINKED, effect)
    return told


@pytest.fixture
def record(tenant, devops) -> Callable[..., Event]:
    """Record a Tracker event: a good deployment of payment-api to production, with changes."""

    def make(by: User | None = None, in_tenant: Tenant | None = None, **changes: Any) -> Event:
        content = {
            "title": "Deploy payment-api", "type": Type.deployment, "service": "payment-api",
            "status": Status.success, "environment": Environment.production,
        } | changes  # fmt: skip
        return record_event(tenant=in_tenant or tenant, content=content, by=by or devops)

    return make


def shape(chain: Chain) -> set[tuple[str, str, str]]:
    """The ways of a chain, by the names of their ends."""
    names = {node.id: node.name for node in chain.nodes}
    return {(names[cause], kind, names[effect]) for cause, kind, effect in chain.ways}


def names(chain: Chain) -> list[str]:
    return [node.name for node in chain.nodes]


@pytest.fixture
def chain(tenant, cpi) -> Callable[..., Chain]:
    """The chain of a thing as `user` (default: cpi) sees it, after the log was read."""

    def look(
        kind: NodeKind, key: str, user: User | None = None, in_tenant: Tenant | None = None, **options: Any
    ) -> Chain:
        follow_log()
        viewer, where = user or cpi, in_tenant or tenant
        return chain_of(viewer, where, find_nodes(viewer, where, kind, key), **options)

    return look


def node_of(kind: NodeKind, key: str) -> ChainNode:
    return ChainNode.objects.get(kind=kind, key=key)


__all__ = ["Direction", "line", "names", "node_of", "said", "shape"]
