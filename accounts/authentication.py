"""How the REST faces know who calls: a bearer token with scopes, or the browser's session."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import ApiToken, User
from accounts.selectors import find_token
from core.clock import now
from core.errors import NotAllowed

if TYPE_CHECKING:  # importing it here for real would close a circle: views read the settings that name this module
    from rest_framework.views import APIView

LAST_USED_EVERY = dt.timedelta(minutes=1)
ANY_TOKEN = "any token"


class ApiTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer sp_…`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        parts = get_authorization_header(request).decode("latin-1").split()
        if not parts or parts[0].lower() != "bearer":
            return None
        token = find_token(parts[1]) if len(parts) == 2 else None
        if token is None:
            raise AuthenticationFailed("This token is unknown, expired or revoked. Issue a new one on your profile.")
        note_use(token)
        token.user.acting_token = token
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="stagepass"'


class BrowserSessionAuthentication(SessionAuthentication):
    """The console's session, with its CSRF token."""

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="stagepass"'


def note_use(token: ApiToken) -> None:
    """Remember when a token was last used, to the minute, so that reads do not become writes."""
    if token.last_used_at is None or now() - token.last_used_at > LAST_USED_EVERY:
        token.last_used_at = now()
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=token.last_used_at)


class HasScope(BasePermission):
    """Someone is logged in, and a token has the scope that the view's `scopes` names for this method.

    A view without `scopes` is a mistake of ours and refused to tokens; ANY_TOKEN is for what needs none. Sessions act
    with all of the person's rights.
    """

    message = "Log in, or send a bearer token."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        if isinstance(request.auth, ApiToken):
            require_scope(request.auth, wanted_scope(view, request.method or "GET"))
        return True


def wanted_scope(view: Any, method: str) -> str:
    """The scope that `view` asks for `method`: `scopes = {"GET": …, "POST": …}` or one string for all."""
    scopes = getattr(view, "scopes", "")
    if isinstance(scopes, str):
        return scopes
    return str(scopes.get("GET" if method in {"HEAD", "OPTIONS"} else method, ""))


def require_scope(token: ApiToken, scope: str) -> None:
    """NotAllowed when the token lacks the scope (ANY_TOKEN: none is needed)."""
    if scope != ANY_TOKEN and scope not in token.scopes:
        raise NotAllowed(
            f"This token lacks the scope {scope or 'for this'}. Issue one that has it on your profile.",
            code="insufficient_scope",
            details={"scope": scope},
        )
