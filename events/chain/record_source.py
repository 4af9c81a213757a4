"""What Tracker events say: deployments, incidents and operations, what they relate to, their tickets and changes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence

from accounts.roles import Capability
from events.chain.keys import artifact_key, change_key, ticket_key, version_in
from events.chain.kinds import EdgeKind, NodeKind, State, environment_named
from events.chain.statements import Ref, Statement
from events.models import ChainNode, DomainEvent, Event
from events.tracker.facts import EVENT_BATCH
from events.tracker.vocabulary import ENDED, Environment, Status, Type, name_of

AUDIENCE = (Capability.VIEW_EVENTS.value,)
FOREVER = 2**62
KINDS = {Type.deployment: NodeKind.DEPLOYMENT, Type.incident: NodeKind.INCIDENT}
_OF_EVENTS = (NodeKind.DEPLOYMENT, NodeKind.INCIDENT, NodeKind.OPERATION)
_STATES = {
    Status.start: State.RUNNING, Status.in_progress: State.RUNNING, Status.success: State.SUCCEEDED,
    Status.done: State.SUCCEEDED, Status.warning: State.SUCCEEDED, Status.failure: State.FAILED,
    Status.error: State.FAILED, Status.planned: State.PLANNED, Status.waiting_approval: State.WAITING,
    Status.close: State.SUCCEEDED, Status.open: State.RUNNING,
}  # fmt: skip
_SOLVED = frozenset({Status.close, Status.done, Status.success})


def read_facts(facts: Sequence[DomainEvent]) -> Iterator[Statement]:
    """The events that the facts tell of, as they stand now; a deleted one is gone for good."""
    wanted: dict[uuid.UUID, DomainEvent] = {}
    for fact in facts:
        for key in _ids(fact):
            wanted[key] = fact
    events = {event.pk: event for event in Event.objects.filter(pk__in=list(wanted))}
    related = {event.related_id for event in events.values() if event.related_id} - events.keys()
    forerunners = {event.pk: event for event in Event.objects.filter(pk__in=list(related))}
    known = events | forerunners
    yield from _forgotten({str(key): fact for key, fact in wanted.items() if key not in events})
    for event in known.values():
        if event.type != Type.rpa_usage or event.ticket or event.related_id or event.pk in forerunners:
            yield statement_of(event, known.get(event.related_id) if event.related_id else None)


def _ids(fact: DomainEvent) -> Iterable[uuid.UUID]:
    ids = fact.data.get("ids", []) if fact.subject_type == EVENT_BATCH else [fact.subject_id]
    return [uuid.UUID(key) for key in ids]


def _forgotten(facts: Mapping[str, DomainEvent]) -> Iterator[Statement]:
    """Gone where it was recorded: no way leads over it any more. What the graph does not have needs no word."""
    if not facts:
        return
    nodes = ChainNode.objects.filter(
        tenant__in={fact.tenant_id for fact in facts.values()}, kind__in=_OF_EVENTS, key__in=list(facts)
    )
    kinds = dict(nodes.values_list("key", "kind"))
    for key, fact in facts.items():
        told = Statement(fact.tenant_id or 0, f"event:{key}", FOREVER, fact.occurred_at, AUDIENCE)
        if key in kinds:
            told.name(NodeKind(kinds[key]), key, gone=True)
        yield told


def kind_of(event: Event) -> NodeKind:
    return KINDS.get(Type(event.type), NodeKind.OPERATION)


def statement_of(event: Event, forerunner: Event | None) -> Statement:
    """Everything that one event says."""
    told = Statement(
        event.tenant_id, f"event:{event.pk}", int(event.updated_at.timestamp() * 1_000_000), event.updated_at, AUDIENCE
    )
    kind = kind_of(event)
    environment = environment_named(name_of(Environment, event.environment))
    version = version_in(event.title) if kind == NodeKind.DEPLOYMENT else ""
    itself = told.name(
        kind, str(event.pk), label=event.title, state=state_of(event), service=event.service, environment=environment,
        version=version, at=event.happened_at, ended_at=_end_of(event) or "",
        rollback=_is_rollback(event, forerunner),
    )  # fmt: skip
    if event.ticket:
        ticket = told.name(NodeKind.TICKET, ticket_key(event.ticket))
        if kind == NodeKind.INCIDENT:
            told.lead(itself, EdgeKind.TRACKED_BY, ticket)
        else:
            told.lead(ticket, EdgeKind.NAMES, itself)
    if event.pull_request_link:
        change = told.name(NodeKind.CHANGE, change_key(event.pull_request_link))
        told.lead(change, EdgeKind.DEPLOYED if kind == NodeKind.DEPLOYMENT else EdgeKind.LINKED, itself)
    if kind == NodeKind.DEPLOYMENT and environment:
        told.lead(itself, EdgeKind.RUNS_IN, told.name(NodeKind.ENVIRONMENT, environment, label=environment))
    if version:
        artifact = told.name(NodeKind.ARTIFACT, artifact_key(event.service, version))
        told.lead(artifact, EdgeKind.DEPLOYED, itself)
    if forerunner is not None:
        _follow(told, forerunner, event, itself)
    return told


def state_of(event: Event) -> str:
    """How it stands, in the words of chains."""
    if event.type == Type.incident:
        return State.RESOLVED if event.status in _SOLVED or event.ended_at else State.OPEN
    return _STATES.get(Status(event.status), "")


def _end_of(event: Event) -> object:
    if event.ended_at is not None:
        return event.ended_at
    if event.type == Type.incident:
        return event.updated_at if event.status in _SOLVED else None
    if event.status in ENDED and event.duration is not None and event.related_id is None:
        return event.happened_at + event.duration
    return event.happened_at if state_of(event) in {State.SUCCEEDED, State.FAILED} else None


def _is_rollback(event: Event, forerunner: Event | None) -> bool:
    """A deployment related to an earlier one of the same service that says it takes it back, as the guide has it."""
    return (
        forerunner is not None
        and event.type == forerunner.type == Type.deployment
        and event.service == forerunner.service
        and any(word in event.title.lower() for word in ("rollback", "roll back", "rolled back", "revert"))
    )


def _follow(told: Statement, forerunner: Event, event: Event, itself: Ref) -> None:
    """The way from what it relates to: an incident was caused by it, anything after an incident remedies it."""
    cause = told.name(kind_of(forerunner), str(forerunner.pk))
    if event.type == Type.incident and forerunner.type != Type.incident:
        kind = EdgeKind.CAUSED
    elif forerunner.type == Type.incident and event.type != Type.incident:
        kind = EdgeKind.REMEDIED_BY
    else:
        kind = EdgeKind.FOLLOWED_BY
    told.lead(cause, kind, itself)
