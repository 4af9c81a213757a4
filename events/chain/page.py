"""The page of a chain: everything one thing came of and led to, with what a deployment carried or who is suspected."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import Tenant, User
from accounts.pages import person_of
from core.console import is_partial
from core.errors import NotFound
from events.chain.kinds import NodeKind
from events.chain.lines import KINDS, Told, line_of, lines_of, told_chain
from events.chain.queries import cargo_of, chain_of, find_nodes, normal_key
from events.chain.sight import audiences_of, tenant_meant
from events.chain.suspects import suspects_of
from events.chain.walking import Chain, Node, walk

SHOWN = 500


@require_safe
@login_required
def chain_page(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """The chain of one thing; for HTMX with `part=card` the card that the page of that thing shows."""
    user = person_of(request)
    if kind not in NodeKind.values:
        raise NotFound(f"There is nothing of the kind {kind[:40]!r} on a chain.")
    tenant = tenant_meant(user, request.GET.get("tenant", ""))
    if is_partial(request) and request.GET.get("part") == "card":
        return render(request, "components/chain.html", card_of(told_chain(user, tenant, kind, key)))
    chain = _chain_of(user, tenant, NodeKind(kind), key)
    start = next(node for node in chain.nodes if node.id in chain.starts)
    lines = lines_of(chain, tenant)
    context = {
        "start": start, "look": KINDS[kind], "tenant": tenant, "lines": lines[-SHOWN:],
        "more": max(len(lines) - SHOWN, 0), "truncated": chain.truncated, **_besides(user, tenant, start, chain),
    }  # fmt: skip
    return render(request, "events/chain.html", context)


def _chain_of(user: User, tenant: Tenant, kind: NodeKind, key: str) -> Chain:
    """The chain of the thing of this very key, or of the things like it; NotFound when there is none."""
    found = walk(
        tenant_id=tenant.pk, starts=(kind.value, normal_key(kind, key)), audiences=audiences_of(user, tenant.pk)
    )
    return found if found.starts else chain_of(user, tenant, find_nodes(user, tenant, kind, key))


def card_of(told: Told) -> dict[str, Any]:
    """What the card of a chain shows."""
    return {"chain_lines": told.lines, "more": told.more, "address": told.address}


def _besides(user: User, tenant: Tenant, node: Node, chain: Chain) -> dict[str, Any]:
    """What else one wants to know of a deployment or an incident."""
    if node.kind == NodeKind.DEPLOYMENT:
        cargo = cargo_of(user, tenant, node, known=None if chain.truncated else chain)
        return {"cargo": cargo, "cargo_tickets": [line_of(ticket, tenant) for ticket in cargo.tickets]}
    if node.kind == NodeKind.INCIDENT:
        found = suspects_of(user, tenant, node)[:8]
        return {"suspects": [(suspect, line_of(suspect.node, tenant)) for suspect in found]}
    return {}
