"""Who may see which part of the graph: by capability in the tenant, and for a token also by its scopes."""

from __future__ import annotations

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import grants_of, home_tenant
from core.errors import NotFound

# What a token needs besides, to be shown what holders of the capability may see.
SCOPES = {
    Capability.VIEW_EVENTS: "events:read",
    Capability.VIEW_TICKETS: "tickets:read",
    Capability.VIEW_PROMOTIONS: "requests:read",
    Capability.VIEW_OWN_PROMOTIONS: "requests:read",
    Capability.VIEW_APPLICATIONS: "iep:read",
}


def audiences_of(user: User, tenant_id: int) -> list[str]:
    """The audiences of things in the tenant that `user` belongs to."""
    grants, token = grants_of(user), getattr(user, "acting_token", None)
    held = [
        capability
        for capability, scope in SCOPES.items()
        if grants.allow(capability, tenant_id) and (token is None or scope in token.scopes)
    ]
    return [
        f"{capability}:{user.pk}" if capability == Capability.VIEW_OWN_PROMOTIONS else capability.value
        for capability in held
    ]


def visible_tenants(user: User) -> list[Tenant]:
    """The tenants whose events `user` may see."""
    grants = grants_of(user)
    tenants = Tenant.objects.order_by("slug")
    if Capability.VIEW_EVENTS in grants.everywhere:
        return list(tenants)
    held = [pk for pk, names in grants.by_tenant.items() if Capability.VIEW_EVENTS in names]
    return list(tenants.filter(pk__in=held)) if held else []


def tenant_meant(user: User, slug: str = "") -> Tenant:
    """The tenant of this name if `user` may see its events, without a name their own; else NotFound."""
    tenants = visible_tenants(user)
    if slug:
        named = [tenant for tenant in tenants if tenant.slug == slug]
        if not named:
            raise NotFound(f"There is no tenant {slug[:60]!r} whose events you may see.")
        return named[0]
    home = home_tenant(user, tenants)
    if home is None:
        raise NotFound("Name the tenant (tenant=…): you may see several, or none.")
    return home
