"""What tickets say to the chain: that they are there, how they stand, who decided, and which changes they are linked to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from accounts.roles import Capability
from events.chain.keys import bounded, change_key, commit_in, is_change_address, ticket_key
from events.chain.kinds import EdgeKind, NodeKind
from events.chain.statements import Statement
from events.models import DomainEvent
from tickets.states import TICKET

AUDIENCE = (Capability.VIEW_TICKETS.value,)
# Only these say how a ticket stands; others may have been written by somebody who read it a moment before.
_MOVES = {"ticket.opened", *(edge.fact for edge in TICKET)}
_DECISIONS = {"ticket.approved": "approved", "ticket.declined": "declined"}


def read_facts(facts: Sequence[DomainEvent]) -> Iterator[Statement]:
    """One statement on each ticket and fact; links and decisions have statements of their own."""
    for fact in facts:
        told = _statement(fact, f"ticket:{fact.subject_id}")
        told.name(
            NodeKind.TICKET, ticket_key(fact.subject_id), label=fact.data.get("title"),
            state=fact.data.get("state") if fact.type in _MOVES else None,
            at=fact.occurred_at if fact.type == "ticket.opened" else None,
        )  # fmt: skip
        yield told
        if fact.type in ("ticket.linked", "ticket.unlinked"):
            yield _link(fact)
        elif fact.type in _DECISIONS:
            yield _decision(fact)


def _statement(fact: DomainEvent, ref: str) -> Statement:
    return Statement(fact.tenant_id or 0, bounded(ref), fact.sequence, fact.occurred_at, AUDIENCE)


def _link(fact: DomainEvent) -> Statement:
    """A link to a change or commit joins the ticket to it; taken away, it does so no more."""
    url = str(fact.data.get("url", ""))
    told = _statement(fact, f"ticket:{fact.subject_id}:link:{url}")
    if fact.type == "ticket.unlinked":
        return told
    ticket = told.name(NodeKind.TICKET, ticket_key(fact.subject_id))
    if is_change_address(url):
        change = told.name(NodeKind.CHANGE, change_key(url), label=fact.data.get("link_title") or None, url=url)
        told.lead(ticket, EdgeKind.NAMES, change)
    elif sha := commit_in(url):
        told.lead(ticket, EdgeKind.NAMES, told.name(NodeKind.COMMIT, sha, url=url))
    return told


def _decision(fact: DomainEvent) -> Statement:
    told = _statement(fact, f"ticket:{fact.subject_id}:decision:{fact.sequence}")
    ticket = told.name(NodeKind.TICKET, ticket_key(fact.subject_id))
    decision = told.name(
        NodeKind.APPROVAL, bounded(f"{fact.subject_id}#{fact.sequence}"),
        label=f"{_DECISIONS[fact.type].capitalize()} by {fact.actor_label}", state=_DECISIONS[fact.type],
        at=fact.occurred_at,
    )  # fmt: skip
    told.lead(ticket, EdgeKind.DECIDED, decision)
    return told
