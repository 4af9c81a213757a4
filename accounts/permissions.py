"""Who may give and take roles; the check raises with the reason a person can read."""

from __future__ import annotations

from accounts.models import User
from accounts.roles import EVERYWHERE, Role
from core.errors import NotAllowed


def check_can_grant(by: User, user: User, role: Role) -> None:
    """Staff with the right on memberships do; only superusers change their own, or give a role that reaches every tenant."""
    if by.is_superuser:
        return
    if by == user:
        raise NotAllowed("Nobody changes their own roles. Ask another administrator.", code="own_role")
    if role in EVERYWHERE:
        raise NotAllowed(
            f"Only superusers give or take {role.value}, which reaches every tenant.", code="not_authorized"
        )
