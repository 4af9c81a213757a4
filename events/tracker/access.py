"""Who calls Tracker's faces: the holder of a token, or a stranger with the rights that the settings give strangers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from accounts.authentication import note_use, require_scope
from accounts.models import ApiToken, Tenant, User
from accounts.roles import Capability
from accounts.selectors import Holder, find_holders, home_tenant
from core.errors import DomainError, InvalidInput, NotAllowed, NotFound
from core.sql import run
from events.models import StatusNumbers
from events.tracker.rights import CAPABILITIES, Actor, open_tenants, remember_reaches, tenant_numbered
from events.tracker.vocabulary import GUIDE_STATUS_NUMBERS
from events.tracker.wire.codec import Reading
from events.tracker.wire.messages import STATUS

READ, WRITE = "events:read", "events:write"
_CLIENT = "SELECT status_numbers FROM events_trackerclient WHERE token_id = %s"


class NotLoggedIn(DomainError):
    """Strangers may not do this here, or the key is no good."""

    status = 401
    code = "not_authenticated"
    title = "Who are you?"


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller of one request: who acts, by which token, how it counts, and the tenant it names (or "")."""

    actor: Actor = field(default_factory=AnonymousUser)
    token: ApiToken | None = None
    tenant: str = ""

    def reading(self) -> Reading:
        """How the REST face reads the numbers of a status that this caller sends."""
        return Reading(self._numbers)

    def _numbers(self, enum: str) -> Mapping[int, int]:
        """Asked only when a request has a number where a word is meant."""
        if enum != STATUS:
            return {}
        own = _numbers_of(self.token.pk) if self.token else ""
        numbers = own or settings.TRACKER_STATUS_NUMBERS
        return {} if numbers == StatusNumbers.WIRE else GUIDE_STATUS_NUMBERS

    def require(self, scope: str) -> None:
        """NotAllowed for a token without the scope, NotLoggedIn for a stranger without the right."""
        if self.token is not None:
            require_scope(self.token, scope)
        elif not isinstance(self.actor, User):
            capability = Capability.RECORD_EVENTS if scope == WRITE else Capability.VIEW_EVENTS
            if not open_tenants(self.actor, capability):
                raise NotLoggedIn("Send a token that has the scope " + scope + ": Authorization: Bearer sp_…")

    def readable(self, tenant: str = "") -> list[int]:
        """The tenants (by number) to look in: all the caller may see, or the named one if it is among them."""
        tenants = open_tenants(self.actor, Capability.VIEW_EVENTS)
        if slug := tenant or self.tenant:
            tenants = [pk for pk in tenants if tenant_numbered(pk).slug == slug]
        return tenants

    def writable(self, tenant: str = "") -> Tenant:
        """The tenant to record into: the named one, else the caller's own; NotFound, NotAllowed or InvalidInput."""
        tenants = open_tenants(self.actor, Capability.RECORD_EVENTS)
        if slug := tenant or self.tenant:
            return self._named(slug, tenants)
        if len(tenants) == 1:
            return tenant_numbered(tenants[0])
        if not tenants:
            raise NotAllowed("You may not record events in any tenant. Ask a tenant admin for a role that may.")
        home = (
            home_tenant(self.actor, [tenant_numbered(pk) for pk in tenants]) if isinstance(self.actor, User) else None
        )
        if home is None:
            raise InvalidInput(
                {"tenant": ["Name the tenant this belongs to: the header X-Tenant, or the field tenant."]}
            )
        return home

    def _named(self, slug: str, tenants: list[int]) -> Tenant:
        tenant = Tenant.objects.filter(slug=slug).first() if "\x00" not in slug else None
        if tenant is None or tenant.pk not in self.readable(slug):
            raise NotFound(f"no tenant found with name {slug[:80]!r}", details={"kind": "tenant"})
        if tenant.pk not in tenants:
            raise NotAllowed(f"You may not record events in {slug}.")
        return tenant


_counting: dict[int, tuple[str, float]] = {}


def _numbers_of(token_id: int) -> str:
    """How the holder of a token counts, if that is set; remembered for half a minute."""
    known = _counting.get(token_id)
    if known is None or time.monotonic() > known[1]:
        if len(_counting) > 1000:
            _counting.clear()
        rows = run(_CLIENT, [token_id])
        known = _counting[token_id] = rows[0][0] if rows else "", time.monotonic() + 30
    return known[0]


Header = Callable[[str], str | None]


def identify(header: Header) -> Caller:
    """The caller by the headers (or gRPC metadata) `authorization`, `x-api-key` and `x-tenant`.

    NotLoggedIn for a key that is unknown, expired or revoked: never a stranger's rights instead.
    """
    secret = secret_in(header)
    if secret is None:
        return Caller(tenant=header("x-tenant") or "")
    (holder,) = find_holders([secret], *CAPABILITIES)
    if holder is None:
        raise NotLoggedIn("This token is unknown, expired or revoked. Issue a new one on your profile.")
    return caller_with(holder, header)


def caller_with(holder: Holder, header: Header) -> Caller:
    """Whoever holds the token, with what else the headers say."""
    token = holder.token
    remember_reaches(token.user, holder.reaches)
    note_use(token)
    token.user.acting_token = token
    return Caller(token.user, token, header("x-tenant") or "")


def secret_in(header: Header) -> str | None:
    """The token that is sent, as it is; None where there is none."""
    if (authorization := header("authorization")) is not None:
        scheme, _, secret = authorization.strip().partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else ""
    return header("x-api-key")
