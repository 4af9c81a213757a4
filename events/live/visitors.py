"""Who listens, and what they may hear: read from the database in threads, never on the event loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import close_old_connections
from django.utils.crypto import constant_time_compare

from accounts.models import User
from accounts.selectors import Grants, find_token, grants_of
from core.errors import DomainError, NotAllowed

SCOPE = "events:read"


class NotLoggedIn(DomainError):
    """Nobody, or nobody any more."""

    status = 401
    code = "not_authenticated"
    title = "Log in first"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a visitor shows: the key of a session, or a bearer token, which needs the scope; or the id of an account that
    the face which opens the stream has made sure of itself."""

    session: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    scope: str = SCOPE
    account: int = 0


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person as far as the stream is concerned; the twin in memory of DomainEventQuerySet.visible_to."""

    user_id: int
    sees_all: bool
    grants: Grants

    @classmethod
    def of(cls, user: User) -> Visitor:
        return cls(user.pk, user.is_superuser, grants_of(user))

    def may_know(self, capability: str, tenant_id: int | None, users: frozenset[int]) -> bool:
        """Whether someone with these grants belongs to the audience of a fact."""
        if self.sees_all or self.user_id in users:
            return True
        if not capability:
            return False
        if capability in self.grants.everywhere:
            return True
        return tenant_id is not None and capability in self.grants.by_tenant.get(tenant_id, ())


def identify(credential: Credential) -> Visitor:
    """Who shows this credential, with the grants as they are now.

    NotLoggedIn for an unknown, expired or revoked one; NotAllowed for a token without the scope.
    """
    close_old_connections()
    try:
        return Visitor.of(_user_of(credential))
    finally:
        close_old_connections()


def _user_of(credential: Credential) -> User:
    if credential.account:
        return _by_account(credential.account)
    if credential.token:
        return _by_token(credential.token, credential.scope)
    return _by_session(credential.session)


def _by_account(account: int) -> User:
    user = User.objects.filter(pk=account, is_active=True).first()
    if user is None:
        raise NotLoggedIn("This account is no longer active.")
    return user


def _by_token(secret: str, scope: str) -> User:
    token = find_token(secret)
    if token is None:
        raise NotLoggedIn("This token is unknown, expired or revoked. Issue a new one on your profile.")
    if scope not in token.scopes:
        raise NotAllowed(
            f"This token lacks the scope {scope}. Issue one that has it on your profile.",
            code="insufficient_scope",
            details={"scope": scope},
        )
    return token.user


def _by_session(key: str) -> User:
    """The person of a session; only reads, unlike Django's own helper, which may replace the session's key."""
    values = _read_session(key)
    user = User.objects.filter(pk=values[SESSION_KEY], is_active=True).first() if SESSION_KEY in values else None
    if (
        user is None
        or values.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS
        or not _hash_holds(user, values.get(HASH_SESSION_KEY, ""))
    ):
        raise NotLoggedIn("Your session has ended. Log in again.")
    return user


def _read_session(key: str) -> dict[str, Any]:
    if not key:
        return {}
    store = import_module(settings.SESSION_ENGINE).SessionStore(key)
    values: dict[str, Any] = store.load()
    return values


def _hash_holds(user: User, stored: str) -> bool:
    """Whether the password is still the one of the log-in."""
    candidates = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(stored, candidate) for candidate in candidates)
