"""Who may do what to applications and stamps; each check raises with the reason a person can read."""

from __future__ import annotations

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import has_capability
from core.errors import NotAllowed
from iep.models import Application

RELEASE_SCOPE = "iep:release"
_WHAT = {
    Capability.STAMP_APPLICATIONS: "stamp and promote tickets",
    Capability.RELEASE_APPLICATIONS: "release to production",
}


def check_can_stamp(user: User, application: Application) -> None:
    """Upload, stamp, promote to QA, go back to dev, close, reopen, rebase."""
    _check(user, Capability.STAMP_APPLICATIONS, application)


def check_can_release(user: User, application: Application) -> None:
    """Change production directly, or take a release back; through a token only if that may."""
    _check(user, Capability.RELEASE_APPLICATIONS, application)
    if user.acting_token is not None and RELEASE_SCOPE not in user.acting_token.scopes:
        raise NotAllowed(
            f"This token lacks the scope {RELEASE_SCOPE}. Issue one that has it on your profile.",
            code="insufficient_scope",
            details={"scope": RELEASE_SCOPE},
        )


def _check(user: User, capability: Capability, application: Application) -> None:
    if not has_capability(user, capability, application.tenant_id):
        raise NotAllowed(
            f"Your role in {application.tenant.slug} does not let you {_WHAT[capability]}. Ask someone whose does.",
            code="not_authorized",
        )


def reason_against(check: object, user: User, application: Application) -> str:
    """Why the check refuses, for a page to show; empty when it does not."""
    try:
        check(user, application)  # type: ignore[operator]
    except NotAllowed as refusal:
        return refusal.message
    return ""
