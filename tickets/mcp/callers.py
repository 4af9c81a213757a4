"""Who calls: the owner of a bearer token, or the account that the demo lends to callers without one."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from django.conf import settings

from accounts.authentication import note_use, require_scope
from accounts.models import ApiToken, User
from accounts.selectors import find_token
from core.errors import DomainError
from tickets.mcp.registry import READ, WORK, WRITE

LENT_SCOPES = [READ, WRITE, WORK]


class NotAuthenticated(DomainError):
    """Nobody, or nobody any more."""

    status = 401
    code = "not_authenticated"
    title = "Send a token"


@dataclass(frozen=True, slots=True)
class Caller:
    """An account, and the token that limits what it may do here."""

    user: User
    token: ApiToken

    def may(self, scope: str) -> bool:
        return scope in self.token.scopes

    def require(self, scope: str) -> None:
        require_scope(self.token, scope)


def identify(secret: str) -> Caller:
    """Whose token this is; NotAuthenticated for an unknown, expired or revoked one."""
    token = find_token(secret)
    if token is None:
        raise NotAuthenticated("This token is unknown, expired or revoked. Issue a new one on your profile.")
    note_use(token)
    token.user.acting_token = token
    return Caller(token.user, token)


def lend(client: str) -> Caller:
    """The account of callers without a token, where the settings name one: on this machine only, never to decide."""
    email = settings.MCP_ANONYMOUS_ACCOUNT if settings.DEMO and _is_here(client) else ""
    user = User.objects.filter(email=email, is_active=True).first() if email else None
    if user is None:
        raise NotAuthenticated("Send a token: Authorization: Bearer sp_… Issue one on your profile.")
    token = ApiToken(user=user, name="no token", scopes=LENT_SCOPES)
    user.acting_token = token
    return Caller(user, token)


def _is_here(client: str) -> bool:
    try:
        return ipaddress.ip_address(client).is_loopback
    except ValueError:
        return False
