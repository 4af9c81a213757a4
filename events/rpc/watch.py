"""WatchEvents: a stream of events as they are recorded, changed and deleted, to whoever may see them."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
from django.db import close_old_connections

from core.errors import Conflict, DomainError
from events.models import DomainEvent, Event
from events.rpc.calls import answering, caller_of
from events.rpc.feed import Feed, Subscription, read_facts
from events.tracker.access import READ, Caller
from events.tracker.facts import summary
from events.tracker.operations.events import criteria_of
from events.tracker.search import Criteria, attach_changes
from events.tracker.wire.codec import Plain
from events.tracker.wire.messages import event_plain, message

RECORDED, CHANGED, DELETED = 1, 2, 3
KINDS = {"event.recorded": RECORDED, "event.deleted": DELETED}
LOOK_AGAIN_SECONDS = 1.0
RIGHTS_SECONDS = 30.0
REQUEST, RESPONSE = message("event", "WatchEventsRequest"), message("event", "WatchEventsResponse")


class TooManyWatchers(DomainError):
    """All places for watchers are taken."""

    status = 429
    code = "too_many_watchers"


class Watch:
    """The servicer of WatchEvents; at most `places` streams at a time."""

    def __init__(self, feed: Feed, places: int) -> None:
        self.feed = feed
        self.places = threading.BoundedSemaphore(places)

    def handler(self) -> grpc.RpcMethodHandler:
        return grpc.unary_stream_rpc_method_handler(
            self.stream,
            request_deserializer=REQUEST.make.FromString,
            response_serializer=RESPONSE.make.SerializeToString,
        )

    def stream(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        with answering(context, "WatchEvents"):
            if not self.places.acquire(blocking=False):
                raise TooManyWatchers("All places for watchers are taken. Try again later, or poll SearchEvents.")
            try:
                yield from self._watch(REQUEST.set_fields(request), context)
            finally:
                self.places.release()

    def _watch(self, request: Plain, context: grpc.ServicerContext) -> Iterator[Any]:
        subscription, position = self.feed.subscribe()
        try:
            criteria = self._criteria(caller_of(context), request)
            context.send_initial_metadata(())  # from here on nothing is missed
            if (after := request.get("after_sequence")) is not None:
                yield from _replay(criteria, after, position)
            yield from self._follow(subscription, criteria, request, context)
        finally:
            self.feed.unsubscribe(subscription)

    def _follow(
        self, subscription: Subscription, criteria: Criteria, request: Plain, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        checked = time.monotonic()
        while context.is_active() and not self.feed.stopping:
            if subscription.lost:
                raise Conflict("You read too slowly, and events were dropped. Watch again with after_sequence.")
            if time.monotonic() - checked > RIGHTS_SECONDS:  # a token may have been revoked, a role withdrawn
                close_old_connections()
                criteria, checked = self._criteria(caller_of(context), request), time.monotonic()
            try:
                fact = subscription.facts.get(timeout=LOOK_AGAIN_SECONDS)
            except queue.Empty:
                continue
            yield from _answers(criteria, fact)

    def _criteria(self, caller: Caller, request: Plain) -> Criteria:
        caller.require(READ)
        wanted = {name: value for name, value in (request.get("filter") or {}).items() if value}
        return replace(criteria_of(caller, wanted), since=None, until=None, text="")


def _replay(criteria: Criteria, after: int, until: int) -> Iterator[Any]:
    while facts := read_facts(after, until):
        for fact in facts:
            yield from _answers(criteria, fact)
        after = facts[-1].sequence


def _answers(criteria: Criteria, fact: DomainEvent) -> Iterator[Any]:
    """What a fact means to a watcher with these criteria: nothing, one event, or each of a batch."""
    if fact.tenant_id is None or fact.tenant_id not in criteria.tenants:
        return
    kind = KINDS.get(fact.type, CHANGED)
    if kind == DELETED:
        if _was_wanted(criteria, fact):
            yield RESPONSE.to_proto({"kind": DELETED, "id": fact.subject_id, "sequence": fact.sequence})
        return
    ids = [uuid.UUID(pk) for pk in fact.data.get("ids", [fact.subject_id])]
    events = list(criteria.narrow(Event.objects.filter(tenant_id=fact.tenant_id, pk__in=ids)).order_by("pk"))
    attach_changes(events)
    for event in events:
        plain = {"kind": kind, "event": event_plain(event), "id": str(event.pk), "sequence": fact.sequence}
        yield RESPONSE.to_proto(plain)


def _was_wanted(criteria: Criteria, fact: DomainEvent) -> bool:
    """Whether a deleted event fits, by what its last fact says of it."""
    wanted = summary(Event(**criteria.exact))
    kept = fact.data.get("event", {})
    return all(kept.get(name) == value for name, value in wanted.items())
