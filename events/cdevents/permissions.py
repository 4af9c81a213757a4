"""Who may send events and settle dead letters; the check raises with the reason a person can read."""

from __future__ import annotations

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import has_capability
from core.errors import NotAllowed


def check_can_record(user: User, tenant: Tenant) -> None:
    """Send events, play dead letters again and discard them."""
    if not has_capability(user, Capability.RECORD_EVENTS, tenant.pk):
        raise NotAllowed(
            f"You may look at events of {tenant.slug} but not record any. Ask a tenant admin for a role that may.",
            code="not_authorized",
        )


def may_record(user: User, tenant: Tenant) -> bool:
    """The same, for buttons."""
    return has_capability(user, Capability.RECORD_EVENTS, tenant.pk)
