"""What import maps say to the chain: the map of a ticket on an application, its stage, and the request that asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from accounts.roles import Capability
from events.chain.keys import bounded, ticket_key
from events.chain.kinds import EdgeKind, NodeKind
from events.chain.statements import Ref, Statement
from events.models import DomainEvent

AUDIENCE = (Capability.VIEW_APPLICATIONS.value,)


def read_facts(facts: Sequence[DomainEvent]) -> Iterator[Statement]:
    """One statement on each map; the request it went through has one of its own, which stays when the map goes on."""
    for fact in facts:
        told, itself = _map(fact, f"stamp:{fact.subject_id}")
        told.lead(told.name(NodeKind.TICKET, ticket_key(fact.data["ticket"])), EdgeKind.NAMES, itself)
        yield told
        if number := fact.data.get("request"):
            asked, itself = _map(fact, f"stamp:{fact.subject_id}:request:{number}")
            asked.lead(itself, EdgeKind.ASKED, asked.name(NodeKind.REQUEST, number))
            yield asked


def _map(fact: DomainEvent, ref: str) -> tuple[Statement, Ref]:
    told = Statement(fact.tenant_id or 0, bounded(ref), fact.sequence, fact.occurred_at, AUDIENCE)
    itself = told.name(
        NodeKind.IMPORT_MAP, bounded(fact.subject_id), label=fact.subject_label, state=fact.data["stage"],
        service=fact.data["application"], at=fact.occurred_at if fact.type == "stamp.opened" else None,
    )  # fmt: skip
    return told, itself
