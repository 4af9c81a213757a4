"""What the ids of our own CDEvents stand for: a link to one of them leads to the ticket, request or deployment it told of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.conf import settings

from core.plugins import load_callable
from events.cdevents.names import fact_in
from events.chain.keys import bounded
from events.chain.kinds import EdgeKind, NodeKind
from events.chain.statements import Ref, Statement
from events.models import DomainEvent


def read_emitted(named: Iterable[tuple[int, str]]) -> Iterator[Statement]:
    """A statement for each (tenant, context id) that is one of ours: the message is the same as what it told of.

    Known to whom the thing is known: that somebody links to it tells nobody more of it.
    """
    wanted = {(tenant, text): fact for tenant, text in named if (fact := fact_in(text))}
    if not wanted:
        return
    facts = {fact.id: fact for fact in DomainEvent.objects.filter(id__in=set(wanted.values()))}
    for (tenant, text), key in wanted.items():
        told_of = facts.get(key)
        if told_of is not None and told_of.tenant_id == tenant and (about := _about(told_of, text)):
            source, thing = about
            told = Statement(tenant, bounded(f"emitted:{text}"), 1, told_of.occurred_at, source.audiences)
            itself, message = told.name(NodeKind(thing[0]), thing[1]), told.name(NodeKind.MESSAGE, bounded(text))
            told.lead(itself, EdgeKind.SAME, message)
            told.lead(message, EdgeKind.SAME, itself)
            yield told


def _about(fact: DomainEvent, text: str) -> tuple[Statement, Ref] | None:
    """The thing that the event was about, and the statement that names it: a deployment where it told of one."""
    path = settings.CHAIN_SOURCES.get(fact.subject_type)
    statements = list(load_callable(path)([fact])) if path else []
    things = [(statement, thing.ref) for statement in statements for thing in statement.things]
    if "/service." in text:
        things = [pair for pair in things if pair[1][0] == NodeKind.DEPLOYMENT.value]
    return things[0] if things else None
