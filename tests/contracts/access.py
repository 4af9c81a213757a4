"""The access matrix: reads the table in access_matrix.md, makes its people and objects, and calls what each row says."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import ApiToken, Tenant, User
from accounts.roles import Role
from accounts.scopes import SCOPES
from accounts.services import grant_role, issue_token, revoke_token
from core.clock import now
from events.endpoints.secrets import seal
from events.models import WebhookEndpoint
from promotions.models import Deployment, PromotionRequest
from promotions.states import DeploymentState, State
from promotions.wire import content_digest
from tests.api import REQUESTS, Caller, body
from tests.conftest import content
from tests.contracts.access_cdevents import CDEVENT_CALLS
from tests.contracts.access_chain import CHAIN_CALLS
from tests.contracts.access_iep import IEP_CALLS
from tests.contracts.access_tickets import TICKET_CALLS

TABLE = Path(__file__).with_name("access_matrix.md")
WORDS = {
    "own": "own_request", "role": "not_authorized", "author": "not_author", "scope": "insufficient_scope",
    "worker": "not_your_worker", "person": "person_required",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of the table: a call on an object, and what each role gets."""

    call: str
    object: str
    scope: str
    expected: dict[str, str]


def read_table() -> list[Row]:
    """All rows of all tables in the file."""
    rows, roles = [], []
    for line in TABLE.read_text().splitlines():
        if not line.startswith("|") or set(line) <= set("|- "):
            continue
        call, scope, thing, *cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if call == "call":
            roles = cells
        else:
            rows.append(Row(call, thing, scope, dict(zip(roles, cells, strict=True))))
    return rows


def read_untried() -> set[str]:
    """The calls that the file lists as not tried yet."""
    return set(re.findall(r"^- `(.+)`$", TABLE.read_text(), re.MULTILINE))


@dataclass
class House:
    """The people of the table with their callers, and two tenants with a colleague each who asks for things."""

    finance: Tenant
    retail: Tenant
    callers: dict[str, Caller] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    colleagues: dict[str, User] = field(default_factory=dict)
    referee: User | None = None
    made: int = 0

    def home_of(self, role: str) -> Tenant:
        return self.retail if role in {"cpi_elsewhere", "outsider"} else self.finance


def build_house() -> House:
    """Everyone that the table names."""
    house = House(
        Tenant.objects.create(slug="tenant-finance", name="Finance"),
        Tenant.objects.create(slug="tenant-retail", name="Retail"),
    )
    roles = {
        "viewer": Role.VIEWER, "devops": Role.DEVOPS, "cpi": Role.CPI, "cpi_elsewhere": Role.CPI,
        "cpi_admin": Role.CPI_ADMIN, "outsider": Role.DEVOPS, "worker": Role.WORKER,
    }  # fmt: skip
    for name, role in roles.items():
        house.users[name] = User.objects.create(email=f"{name}@example.com", name=name)
        grant_role(user=house.users[name], tenant=house.home_of(name), role=role)
    house.users["superuser"] = User.objects.create_superuser("superuser@example.com")
    for name, user in house.users.items():
        house.callers[name] = Caller(issue_token(user=user, name="all", scopes=list(SCOPES))[1])
    house.callers["anonymous"] = Caller()
    for name in ("no_scope", "revoked", "expired"):
        token, secret = issue_token(user=house.users["cpi"], name=name, scopes=list(SCOPES))
        house.users[name], house.callers[name] = house.users["cpi"], Caller(secret)
        if name == "no_scope":
            ApiToken.objects.filter(pk=token.pk).update(scopes=[])
        elif name == "revoked":
            revoke_token(token=token)
        elif name == "expired":
            ApiToken.objects.filter(pk=token.pk).update(expires_at=now() - dt.timedelta(seconds=1))
    for tenant in (house.finance, house.retail):
        house.colleagues[tenant.slug] = User.objects.create(email=f"colleague@{tenant.slug}.example.com")
    house.referee = User.objects.create(email="referee@example.com")
    return house


def place(house: House, author: User, tenant: Tenant, state: str) -> PromotionRequest:
    """A request in the state, with the attempt that belongs to it, as if it had come there."""
    house.made += 1
    broken, state = state == "glass broken", State.DEPLOYED if state == "glass broken" else state
    wanted = content(target_name=f"service-{house.made}")
    digest = content_digest(wanted)
    approved = state not in {State.PENDING, State.REJECTED}
    columns: dict[str, Any] = {name: getattr(wanted, name) for name in type(wanted).__dataclass_fields__}
    if broken:
        columns |= {
            "glass_broken_by": house.referee, "glass_broken_at": now(), "review_due_at": now(), "glass_digest": digest,
            "glass_reason": "Payments are down",
        }  # fmt: skip
    elif approved:
        columns |= {"approved_by": house.referee, "approved_at": now(), "approved_digest": digest}
    promotion = PromotionRequest.objects.create(
        **(columns | {"tickets": []}), number=f"PR-2024-{house.made:04}", tenant=tenant, author=author, state=state,
        digest=digest, replaced_version="1.0.0" if state == State.DEPLOYED else "",
    )  # fmt: skip
    if approved:
        Deployment.objects.create(
            promotion=promotion, attempt=1, log="Output\n",
            state={"deploying": DeploymentState.RUNNING, "failed": DeploymentState.FAILED}.get(state, "succeeded"),
        )  # fmt: skip
    return promotion


Call = Callable[[House, str, str], HttpResponse]


def on_request(method: str, rest: str = "", sent: Any = None, state: str = State.PENDING) -> Call:
    """A call on one request: the caller's own, a colleague's of one of the tenants, or none."""

    def call(house: House, role: str, thing: str) -> HttpResponse:
        number = "PR-1999-0001"
        author = house.users.get(role, house.colleagues["tenant-finance"])
        if thing == "own":
            number = place(house, author, house.home_of(role), state).number
        elif thing != "missing":
            tenant = getattr(house, thing)
            number = place(house, house.colleagues[tenant.slug], tenant, state).number
        wish = {**sent, "target": {**sent["target"], "name": f"service-{house.made}"}} if method == "PUT" else sent
        return house.callers[role].call(method, f"{REQUESTS}/{number}{rest}", wish)

    return call


def on_token(method: str) -> Call:
    def call(house: House, role: str, thing: str) -> HttpResponse:
        owner = house.users.get(role) if thing == "own" else house.colleagues["tenant-finance"]
        token = issue_token(user=owner or house.colleagues["tenant-finance"], name="x", scopes=["events:read"])[0]
        return house.callers[role].call(method, f"/v1/tokens/{0 if thing == 'missing' else token.pk}")

    return call


def plain(method: str, path: str, sent: Any = None) -> Call:
    return lambda house, role, thing: house.callers[role].call(method, path, sent)


def create(house: House, role: str, thing: str) -> HttpResponse:
    slug = {"own": ..., "missing": "tenant-nowhere"}.get(thing, f"tenant-{thing}")
    sent = body() if slug is ... else body(tenant=slug)
    return house.callers[role].post(REQUESTS, sent)


def on_webhook(method: str, rest: str = "", sent: Any = None) -> Call:
    def call(house: House, role: str, thing: str) -> HttpResponse:
        tenant = {"own": house.home_of(role), "retail": house.retail}.get(thing, house.finance)
        endpoint = WebhookEndpoint.objects.create(
            tenant=tenant, name="pipeline", url="https://ci.example.com/", patterns=["*"], secret=seal("whsec_AAAA")
        )
        number = 0 if thing == "missing" else endpoint.pk
        return house.callers[role].call(method, f"/v1/webhooks/{number}{rest}", sent)

    return call


WEBHOOK = {"name": "another", "url": "https://ci.example.com/hook", "patterns": ["promotion.*"]}
ONE = f"{REQUESTS}/{{number}}"
CALLS: dict[str, Call] = {
    f"GET {REQUESTS}": plain("GET", REQUESTS),
    f"POST {REQUESTS}": create,
    f"GET {REQUESTS}/my": plain("GET", f"{REQUESTS}/my"),
    f"GET {REQUESTS}/pending": plain("GET", f"{REQUESTS}/pending"),
    f"GET {REQUESTS}/stats": plain("GET", f"{REQUESTS}/stats"),
    f"GET {ONE}": on_request("GET"),
    f"PUT {ONE}": on_request("PUT", sent=body(target__version="9.0.0")),
    f"POST {ONE}/approve": on_request("POST", "/approve", {}),
    f"POST {ONE}/reject": on_request("POST", "/reject", {"reason": "Not good enough"}),
    f"POST {ONE}/break-glass": on_request("POST", "/break-glass", {"reason": "Payments are down, nobody answers"}),
    f"POST {ONE}/approve-afterwards": on_request("POST", "/approve-afterwards", {}, "glass broken"),
    f"POST {ONE}/object": on_request("POST", "/object", {"reason": "It should have waited"}, "glass broken"),
    f"POST {ONE}/withdraw": on_request("POST", "/withdraw", {}),
    f"POST {ONE}/comments": on_request("POST", "/comments", {"comment": "Hello"}),
    f"POST {ONE}/retry": on_request("POST", "/retry", {}, State.FAILED),
    f"POST {ONE}/cancel": on_request("POST", "/cancel", {}, State.DEPLOYING),
    f"POST {ONE}/rollback": on_request("POST", "/rollback", {"reason": "It breaks refunds"}, State.DEPLOYED),
    f"GET {ONE}/deployments": on_request("GET", "/deployments", None, State.DEPLOYED),
    f"GET {ONE}/deployments/{{attempt}}": on_request("GET", "/deployments/1", None, State.DEPLOYED),
    f"GET {ONE}/deployments/{{attempt}}/log": on_request("GET", "/deployments/1/log", None, State.DEPLOYED),
    "GET /v1/me": plain("GET", "/v1/me"),
    "GET /v1/me/muted": plain("GET", "/v1/me/muted"),
    "PUT /v1/me/muted/{kind}/{thing}": plain("PUT", "/v1/me/muted/ticket/T-1"),
    "DELETE /v1/me/muted/{kind}/{thing}": plain("DELETE", "/v1/me/muted/ticket/T-1"),
    "GET /v1/tokens": plain("GET", "/v1/tokens"),
    "POST /v1/tokens": plain("POST", "/v1/tokens", {"name": "x", "scopes": ["tokens:manage"]}),
    "GET /v1/tokens/{token}": on_token("GET"),
    "DELETE /v1/tokens/{token}": on_token("DELETE"),
    "GET /v1/webhooks": plain("GET", "/v1/webhooks"),
    "POST /v1/webhooks": plain("POST", "/v1/webhooks", WEBHOOK),
    "GET /v1/webhooks/{webhook}": on_webhook("GET"),
    "PATCH /v1/webhooks/{webhook}": on_webhook("PATCH", "", {"name": "renamed"}),
    "DELETE /v1/webhooks/{webhook}": on_webhook("DELETE"),
    "POST /v1/webhooks/{webhook}/secret": on_webhook("POST", "/secret", {}),
    "GET /api/schema": plain("GET", "/api/schema/"),
    "GET /api/docs": plain("GET", "/api/docs/"),
    **IEP_CALLS,
    **TICKET_CALLS,
    **CHAIN_CALLS,
    **CDEVENT_CALLS,
}


def outcome(house: House, role: str, row: Row) -> str:
    """What the role gets, as a cell says it; whatever the call did is undone."""
    with transaction.atomic():
        answer = CALLS[row.call](house, role, row.object)
        transaction.set_rollback(True)
    if answer.status_code != 403:
        return str(answer.status_code)
    code = answer.json()["code"]
    return f"403 {next((word for word, meant in WORDS.items() if meant == code), code)}"


def addresses() -> Iterator[str]:
    """Every method of every address of the API that the URL configuration knows, spelled as in the table."""
    for route, view in _walk(get_resolver(), ""):
        if not route.startswith(("v1/", "api/")) or "(?P" in route:
            continue
        spelled = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route).rstrip("/")
        for method in _methods(view):
            yield f"{method} {spelled}"


def _walk(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLPattern):
            yield route, pattern.callback
        else:
            yield from _walk(pattern, route)


def _methods(view: Any) -> list[str]:
    made_of = getattr(view, "cls", getattr(view, "view_class", None))
    if made_of is None:
        return ["GET"]
    return [method.upper() for method in ("get", "post", "put", "patch", "delete") if hasattr(made_of, method)]
