"""Reads of what was received, of dead letters, and of our own facts as events to be pulled."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from accounts.models import ApiToken, Tenant, User
from accounts.roles import Capability
from accounts.selectors import home_tenant, tenants_where
from core.errors import InvalidInput, NotAllowed, NotFound
from events.cdevents.emission import as_cloudevent, cdevents_of
from events.cdevents.words import SAYINGS
from events.models import DeadLetter, DomainEvent, ReceivedEvent, ReceivedLink

_FILTERS = {
    "tenant": "tenant__slug", "source": "source", "eventId": "event_id", "subjectId": "subject_id",
    "chainId": "chain_id", "state": "state", "code": "code", "before": "pk__lt", "since": "happened_at__gte",
    "until": "happened_at__lt", "type": "type__startswith",
}  # fmt: skip


def list_received(*, user: User, query: dict[str, Any]) -> list[ReceivedEvent]:
    """The received events that `user` may see, newest first, as the query says."""
    events = _narrowed(ReceivedEvent.objects.visible_to(user), query)
    if query.get("ticket"):
        events = events.filter(tickets__contains=[query["ticket"].replace("\x00", "")])
    return list(events.select_related("tenant").order_by("-pk")[: query["limit"]])


def list_links(*, user: User, query: dict[str, Any]) -> list[ReceivedLink]:
    """The separate links that `user` may see, newest first."""
    links = _narrowed(ReceivedLink.objects.visible_to(user), query)
    return list(links.select_related("tenant").order_by("-pk")[: query["limit"]])


def list_letters(*, user: User, query: dict[str, Any]) -> list[DeadLetter]:
    """The dead letters that `user` may see, newest first."""
    letters = _narrowed(DeadLetter.objects.visible_to(user), query)
    return list(letters.select_related("tenant").order_by("-pk")[: query["limit"]])


def _narrowed(rows: QuerySet[Any], query: dict[str, Any]) -> QuerySet[Any]:
    for name, path in _FILTERS.items():
        value = query.get(name)
        if value not in (None, ""):
            rows = rows.filter(**{path: value.replace("\x00", "\ufffd") if isinstance(value, str) else value})
    return rows


def find_received(*, user: User, number: int) -> ReceivedEvent:
    """The received event with this number that `user` may see; NotFound says the same for none and for hidden ones."""
    found = ReceivedEvent.objects.visible_to(user).select_related("tenant").filter(pk=number).first()
    if found is None:
        raise NotFound(f"There is no received event {number} that you may see.")
    return found


def tenant_to_record_into(user: User, slug: str) -> Tenant:
    """The named tenant, else the user's own; NotFound, NotAllowed or InvalidInput."""
    return _tenant(user, slug, Capability.RECORD_EVENTS, "record events")


def tenant_to_look_into(user: User, slug: str) -> Tenant:
    return _tenant(user, slug, Capability.VIEW_EVENTS, "view events")


def _tenant(user: User, slug: str, capability: Capability, what: str) -> Tenant:
    mine = tenants_where(user, capability)
    if slug:
        named = Tenant.objects.filter(slug=slug.replace("\x00", "\ufffd")).first()
        if named is None or not tenants_where(user, Capability.VIEW_EVENTS).filter(pk=named.pk).exists():
            raise NotFound(f"There is no tenant {slug[:80]} that you may see.")
        if not mine.filter(pk=named.pk).exists():
            raise NotAllowed(f"You may not {what} in {slug}. Ask a tenant admin for a role that may.", code=_CODE)
        return named
    home = home_tenant(user, mine)
    if home is not None:
        return home
    if mine.exists():
        raise InvalidInput({"tenant": ["Name the tenant this belongs to: the header X-Tenant, or ?tenant=."]})
    raise NotAllowed(f"You may not {what} in any tenant. Ask a tenant admin for a role that may.", code=_CODE)


_CODE = "not_authorized"


# Ours, to be pulled

# What a token has to be allowed to read before facts about this are shown to it.
_SCOPES = {"ticket": "tickets:read", "promotion": "requests:read"}


@dataclass(frozen=True, slots=True)
class Pulled:
    """Events, the place in the log to go on from, and whether there is more already."""

    events: list[dict[str, Any]]
    next: int
    more: bool


def pull_events(*, user: User, token: ApiToken | None, query: dict[str, Any]) -> Pulled:
    """The events that our facts after `after` make, oldest first, of what `user` and the token may see.

    The log has no gaps, so whoever goes on from `next` misses nothing.
    """
    facts = DomainEvent.objects.visible_to(user).filter(sequence__gt=query["after"], type__in=list(SAYINGS))
    kinds = [kind for kind, scope in _SCOPES.items() if token is None or scope in token.scopes]
    facts = facts.filter(subject_type__in=kinds)
    if query.get("tenant"):
        facts = facts.filter(tenant__slug=query["tenant"].replace("\x00", "\ufffd"))
    limit = query["limit"]
    found = list(facts.select_related("tenant").order_by("sequence")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    bodies = [body for fact in found for body in cdevents_of(fact, profile=query["profile"])]
    if patterns := [part.strip() for part in query.get("types", "").split(",") if part.strip()][:20]:
        bodies = [body for body in bodies if _matches(body["context"]["type"], patterns)]
    shown = bodies if query["form"] == "cdevents" else [as_cloudevent(body) for body in bodies]
    return Pulled(shown, found[-1].sequence if found else query["after"], more)


def _matches(type: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(type, pattern) for pattern in patterns)
