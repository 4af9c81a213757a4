"""`subscriptions/listen`: word of changed tickets while the client keeps the answer open, to those who may read them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import mcp_types as protocol
from mcp.shared.subscriptions import (
    SUBSCRIPTION_ID_META_KEY,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    event_to_notification,
)

from core.errors import DomainError, InvalidInput
from events.live.routes import live
from events.live.streams import Line, Stream
from events.live.visitors import Credential, Visitor
from tickets.mcp import calls, resources
from tickets.mcp.callers import Caller
from tickets.mcp.registry import READ

MOST_ADDRESSES = 200
# What makes a ticket appear in the list of resources, or go from it.
_CHANGES_LIST = {"ticket.opened", "ticket.closed", "ticket.reopened"}

Place = tuple[int | None, str]
Places = dict[Place, list[str]]


class Watch(Stream):
    """What one listener still has to be told: that something changed, never how often."""

    __slots__ = ("changed", "list_too", "places")

    def __init__(self, credential: Credential, visitor: Visitor, after: int, *, places: Places, list_too: bool) -> None:
        super().__init__(credential, visitor, after)
        self.places = places
        self.list_too = list_too
        self.changed: dict[ServerEvent, None] = {}

    def keep(self, line: Line) -> None:
        if line.subject_type != "ticket":
            return
        self._note(ResourceUpdated(uri) for uri in self.places.get((line.tenant_id, line.subject_id), ()))
        if self.list_too and line.type in _CHANGES_LIST:
            self._note([ResourcesListChanged()])

    def _note(self, events: Iterable[ServerEvent]) -> None:
        self.changed.update(dict.fromkeys(events))
        self.wake.set()

    def reload(self, reason: str, sequence: int) -> None:
        """Nobody knows what was skipped: everything counts as changed."""
        self.after = max(self.after, sequence)
        self._note(ResourceUpdated(uri) for uris in self.places.values() for uri in uris)
        if self.list_too:
            self._note([ResourcesListChanged()])

    def beat(self, idle: float, stuck: float) -> None:
        """The protocol's side sends signs of life itself, and what waits here is bounded."""

    def take_changed(self) -> list[ServerEvent]:
        self.wake.clear()
        self.frames.clear()
        changed = list(self.changed)
        self.changed.clear()
        return changed


async def listen(
    context: Any, caller: Caller, wished: protocol.SubscriptionFilter
) -> protocol.SubscriptionsListenResult:
    """Serve one listener until it goes, its token or its rights do, or the process ends.

    Addresses of tickets that the caller may not see are left out of the acknowledgement, like those of none. What is
    told later is judged by the rights of that moment.
    """
    caller.require(READ)
    addresses = wished.resource_subscriptions or []
    if len(addresses) > MOST_ADDRESSES:
        raise InvalidInput({"resourceSubscriptions": [f"At most {MOST_ADDRESSES}; this has {len(addresses)}."]})
    places = await calls.in_thread(_find_places, caller, addresses)
    make = partial(Watch, places=places, list_too=bool(wished.resources_list_changed))
    watch = await live.hub.open_as(make, _credential(context, caller), None)
    try:
        return await _tell(context, watch, _honored(wished, places))
    finally:
        live.hub.leave(watch)


def _find_places(caller: Caller, addresses: Iterable[str]) -> Places:
    """The tickets at those addresses that the caller may see."""
    places: Places = {}
    for address in dict.fromkeys(addresses):
        try:
            ticket = resources.find_resource(caller.user, address)
        except DomainError:
            continue
        places.setdefault((ticket.tenant_id, ticket.key), []).append(address)
    return places


def _credential(context: Any, caller: Caller) -> Credential:
    """What is looked at again and again while the stream is open: the token, or the account lent without one."""
    if caller.token.pk is None:
        return Credential(account=caller.user.pk)
    secret = context.request.headers["authorization"].partition(" ")[2].strip()
    return Credential(token=secret, scope=READ)


def _honored(wished: protocol.SubscriptionFilter, places: Places) -> protocol.SubscriptionFilter:
    """Tools and prompts are what the token's scopes make them; they do not change while it is used."""
    found = {uri for uris in places.values() for uri in uris}
    return protocol.SubscriptionFilter(
        tools_list_changed=wished.tools_list_changed or None,
        prompts_list_changed=wished.prompts_list_changed or None,
        resources_list_changed=wished.resources_list_changed or None,
        resource_subscriptions=[uri for uri in wished.resource_subscriptions or () if uri in found] or None,
    )


async def _tell(context: Any, watch: Watch, honored: protocol.SubscriptionFilter) -> protocol.SubscriptionsListenResult:
    meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: context.request_id}

    async def send(notification: Any) -> None:
        await context.session.send_notification(notification, related_request_id=context.request_id)

    acknowledged = protocol.SubscriptionsAcknowledgedNotificationParams(notifications=honored, _meta=meta)
    await send(protocol.SubscriptionsAcknowledgedNotification(params=acknowledged))
    while not watch.closing:
        await watch.wake.wait()
        for event in watch.take_changed():
            await send(event_to_notification(event, meta))
    return protocol.SubscriptionsListenResult(_meta=meta)
