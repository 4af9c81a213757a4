"""Who may see and record events where: people by their roles, strangers only where the settings say so."""

from __future__ import annotations

import time

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import Reach, reaches_of
from core.errors import NotAllowed

# Whoever acts: a person, a stranger (AnonymousUser), or the system itself (None), which may do everything.
Actor = User | AnonymousUser | None

CAPABILITIES = (Capability.VIEW_EVENTS, Capability.RECORD_EVENTS)

_REMEMBER_SECONDS = 30.0
_tenants: dict[int, tuple[Tenant, float]] = {}


def tenant_numbered(pk: int) -> Tenant:
    """The tenant, remembered for half a minute: there are few, and every answer names some."""
    known = _tenants.get(pk)
    if known is None or time.monotonic() > known[1]:
        known = _tenants[pk] = Tenant.objects.get(pk=pk), time.monotonic() + _REMEMBER_SECONDS
    return known[0]


def anonymous_tenants(capability: Capability) -> list[int]:
    """Where strangers may see (`read`) or record (`write`): one tenant by setting, or nowhere."""
    right = "write" if capability == Capability.RECORD_EVENTS else "read"
    if right not in settings.TRACKER_ANONYMOUS_RIGHTS:
        return []
    return list(Tenant.objects.filter(slug=settings.TRACKER_ANONYMOUS_TENANT).values_list("pk", flat=True))


def open_tenants(actor: Actor, capability: Capability) -> list[int]:
    """The tenants (by number) where `actor` holds `capability`."""
    if actor is None:
        return list(Tenant.objects.values_list("pk", flat=True))
    if not isinstance(actor, User):
        return anonymous_tenants(capability)
    reach = _reach_of(actor, capability)
    return list(Tenant.objects.values_list("pk", flat=True)) if reach.everywhere else list(reach.tenants)


def where_open(actor: Actor, capability: Capability) -> dict[str, list[int]]:
    """The filter on the tenant of things that `actor` may reach; none for those who reach every tenant."""
    if actor is None or (isinstance(actor, User) and _reach_of(actor, capability).everywhere):
        return {}
    return {"tenant_id__in": open_tenants(actor, capability)}


def _reach_of(user: User, capability: Capability) -> Reach:
    """Read once per user object (that is, once per request), both capabilities at once."""
    reaches: dict[Capability, Reach] | None = getattr(user, "_event_reaches", None)
    if reaches is None:
        reaches = remember_reaches(user, reaches_of(user, *CAPABILITIES))
    return reaches[capability]


def remember_reaches(user: User, reaches: dict[Capability, Reach]) -> dict[Capability, Reach]:
    """Keep what was read with the user object."""
    user._event_reaches = reaches  # type: ignore[attr-defined]
    return reaches


def check_can_record(actor: Actor, tenant_id: int) -> None:
    """NotAllowed unless `actor` may record events, locks and catalogue entries in the tenant."""
    if actor is None:
        return
    if isinstance(actor, User):
        reach = _reach_of(actor, Capability.RECORD_EVENTS)
        allowed = reach.everywhere or tenant_id in reach.tenants
    else:
        allowed = tenant_id in anonymous_tenants(Capability.RECORD_EVENTS)
    if not allowed:
        raise NotAllowed("You may look at events here but not record any. Ask a tenant admin for a role that may.")


def person(actor: Actor) -> User | None:
    """The account behind an actor, as facts name it."""
    return actor if isinstance(actor, User) else None


def label_of(actor: Actor) -> str:
    """How a changelog names an actor."""
    if isinstance(actor, User):
        return actor.email
    return "system" if actor is None else "anonymous"
