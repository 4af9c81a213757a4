"""The calls of the access matrix on received CDEvents and dead letters, each on a thing made for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse

from accounts.models import Tenant
from events.cdevents.cloudevents import Item
from events.cdevents.codec import UnknownType
from events.cdevents.letters import bury
from events.cdevents.receiving import Incoming, receive
from tests.events.cdevents.conftest import a_change

if TYPE_CHECKING:
    from tests.contracts.access import Call, House


def _tenant_of(house: House, role: str, thing: str) -> Tenant:
    return house.home_of(role) if thing == "own" else getattr(house, thing)


def _item(house: House) -> Item:
    house.made += 1
    body = a_change(house.made)
    return Item("bare", json.dumps(body), body)


def on_event(house: House, role: str, thing: str) -> HttpResponse:
    number = 0
    if thing != "missing":
        tenant = _tenant_of(house, role, thing)
        (outcome,) = receive(items=[Incoming(_item(house))], tenant=tenant, by=None)
        assert outcome.event is not None
        number = outcome.event.pk
    return house.callers[role].get(f"/v1/cdevents/{number}")


def on_letter(method: str, rest: str = "") -> Call:
    """A letter that nothing stands against any more."""

    def call(house: House, role: str, thing: str) -> HttpResponse:
        number = 0
        if thing != "missing":
            tenant = _tenant_of(house, role, thing)
            number = bury(_item(house), UnknownType("Unknown."), tenant=tenant, by=None).pk
        sent = {} if method == "POST" else None
        return house.callers[role].call(method, f"/v1/cdevents/dead-letters/{number}{rest}", sent)

    return call


def plain(method: str, path: str, sent: Any = None) -> Call:
    return lambda house, role, thing: house.callers[role].call(method, path, sent)


LETTER = "/v1/cdevents/dead-letters/{letter}"
CDEVENT_CALLS: dict[str, Call] = {
    "GET /v1/cdevents": plain("GET", "/v1/cdevents"),
    "POST /v1/cdevents": plain("POST", "/v1/cdevents", a_change()),
    "GET /v1/cdevents/{event}": on_event,
    "GET /v1/cdevents/emitted": plain("GET", "/v1/cdevents/emitted"),
    "GET /v1/cdevents/links": plain("GET", "/v1/cdevents/links"),
    "GET /v1/cdevents/dead-letters": plain("GET", "/v1/cdevents/dead-letters"),
    f"GET {LETTER}": on_letter("GET"),
    f"POST {LETTER}/replay": on_letter("POST", "/replay"),
    f"POST {LETTER}/discard": on_letter("POST", "/discard"),
    "POST /v1/webhooks/dry-run": plain(
        "POST", "/v1/webhooks/dry-run", {"kind": "github", "event": "ping", "payload": {}}
    ),
}
