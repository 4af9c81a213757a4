"""The calls of the access matrix on the chain, environments, freezes and measures, each on an object made for it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.http import HttpResponse

from accounts.models import Tenant
from core.clock import now
from events.chain.following import follow_log
from events.models import Freeze
from events.tracker.records import record_event
from events.tracker.vocabulary import Environment, Status, Type

if TYPE_CHECKING:
    from tests.contracts.access import Call, House


def home_of(house: House, role: str, thing: str) -> Tenant:
    return house.home_of(role) if thing in ("own", "missing") else getattr(house, thing)


def about(kind: str, path: str) -> Call:
    """A question about a deployment or an incident of a tenant, or about none."""

    def call(house: House, role: str, thing: str) -> HttpResponse:
        tenant = home_of(house, role, thing)
        content = {
            "title": "It", "type": Type[kind], "service": "ledger", "status": Status.open,
            "environment": Environment.production,
        }  # fmt: skip
        event = record_event(tenant=tenant, content=content, by=None)
        follow_log()
        query = {"tenant": tenant.slug, kind: "nothing" if thing == "missing" else str(event.pk)}
        return house.callers[role].get(f"{path}?{urlencode(query)}")

    return call


def of_tenant(path: str, **query: str) -> Call:
    """A question about a whole tenant."""

    def call(house: House, role: str, thing: str) -> HttpResponse:
        slug = "tenant-nowhere" if thing == "missing" else home_of(house, role, thing).slug
        return house.callers[role].get(f"{path}?{urlencode({'tenant': slug, **query})}")

    return call


def plain(path: str) -> Call:
    return lambda house, role, thing: house.callers[role].get(path)


def declare(house: House, role: str, thing: str) -> HttpResponse:
    slug = "tenant-nowhere" if thing == "missing" else home_of(house, role, thing).slug
    ends = (now() + dt.timedelta(hours=1)).isoformat()
    sent: dict[str, Any] = {"tenant": slug, "reason": "Year end closing", "endsAt": ends}
    return house.callers[role].post("/v1/freezes", sent)


def on_freeze(method: str) -> Call:
    def call(house: House, role: str, thing: str) -> HttpResponse:
        tenant = home_of(house, role, thing)
        freeze = Freeze.objects.create(
            tenant=tenant, reason="Year end closing", starts_at=now(), ends_at=now() + dt.timedelta(hours=1),
            declared_by=house.colleagues[tenant.slug],
        )  # fmt: skip
        return house.callers[role].call(method, f"/v1/freezes/{0 if thing == 'missing' else freeze.pk}")

    return call


CHAIN_CALLS: dict[str, Call] = {
    "GET /v1/chain": about("deployment", "/v1/chain"),
    "GET /v1/chain/tickets": about("deployment", "/v1/chain/tickets"),
    "GET /v1/chain/suspects": about("incident", "/v1/chain/suspects"),
    "GET /v1/environments": of_tenant("/v1/environments"),
    "GET /v1/environments/running": of_tenant("/v1/environments/running", environment="production"),
    "GET /v1/environments/clearance": of_tenant(
        "/v1/environments/clearance", service="ledger", environment="production"
    ),
    "GET /v1/freezes": plain("/v1/freezes"),
    "POST /v1/freezes": declare,
    "GET /v1/freezes/{freeze}": on_freeze("GET"),
    "DELETE /v1/freezes/{freeze}": on_freeze("DELETE"),
    "GET /v1/measures": plain("/v1/measures"),
}
# Calls about one object although their address names none.
ABOUT_ONE = {
    "GET /v1/chain", "GET /v1/chain/tickets", "GET /v1/chain/suspects", "GET /v1/environments",
    "GET /v1/environments/running", "GET /v1/environments/clearance", "POST /v1/freezes",
}  # fmt: skip
