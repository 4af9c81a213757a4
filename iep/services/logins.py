"""A program on a person's machine gets a token of theirs: it asks, they confirm its code in the browser."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.db import transaction

from accounts.models import ApiToken, User
from accounts.services import issue_token
from core.clock import now
from core.errors import DomainError, NotFound
from iep.models import LoginRequest

LIFETIME = dt.timedelta(minutes=10)
INTERVAL = 2
TOKEN_LIFETIME = dt.timedelta(days=90)
SCOPES = ["iep:read", "iep:write", "iep:release", "tickets:read", "requests:read", "requests:decide"]
# No vowels and nothing that looks like something else: no words, nothing to mistype.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


class NotYet(DomainError):
    """The program has to wait, or to stop."""

    title = "Not logged in yet"


def begin_login(*, client: str) -> tuple[LoginRequest, str]:
    """A request and its device code, which only the program learns."""
    LoginRequest.objects.filter(expires_at__lt=now()).delete()
    device = secrets.token_urlsafe(32)
    code = "".join(secrets.choice(_LETTERS) for _ in range(8))
    request = LoginRequest.objects.create(
        device_digest=_digest(device),
        user_code=f"{code[:4]}-{code[4:]}",
        client="".join(letter for letter in client if letter.isprintable())[:100] or "stamp",
        expires_at=now() + LIFETIME,
    )
    return request, device


def _digest(device: str) -> str:
    return hashlib.sha256(device.encode()).hexdigest()


def find_login(code: str) -> LoginRequest:
    """The undecided request with this short code; NotFound for any other."""
    cleaned = "".join(letter for letter in code.upper() if letter in _LETTERS)
    found = LoginRequest.objects.filter(
        user_code=f"{cleaned[:4]}-{cleaned[4:8]}", decision="", expires_at__gt=now()
    ).first()
    if found is None:
        raise NotFound("This code is unknown or has lapsed. Start again where you saw it.")
    return found


def decide_login(*, code: str, allow: bool, by: User) -> LoginRequest:
    """The person says yes or no to the program that shows this code; NotFound when it lapsed or was decided."""
    request = find_login(code)
    decision = "allowed" if allow else "denied"
    if not LoginRequest.objects.filter(pk=request.pk, decision="").update(decision=decision, user=by):
        raise NotFound("This code was decided already.")
    return request


def finish_login(*, device: str) -> tuple[ApiToken, str]:
    """The token, once, when the person said yes.

    NotYet otherwise: authorization_pending and slow_down (go on asking), access_denied and expired_token (stop).
    """
    request = LoginRequest.objects.filter(device_digest=_digest(device)).first()
    if request is None or request.expires_at < now():
        raise NotYet("The code has lapsed. Start again.", code="expired_token")
    if request.decision == "denied":
        raise NotYet("The log-in was refused in the browser.", code="access_denied")
    if request.decision != "allowed" or request.user is None:
        raise _wait(request)
    return _issue(request, request.user)


@transaction.atomic
def _issue(request: LoginRequest, user: User) -> tuple[ApiToken, str]:
    """To whoever deletes the request; twice at once, one of them comes too late."""
    if not LoginRequest.objects.filter(pk=request.pk).delete()[0]:
        raise NotYet("The token was fetched already. Start again.", code="expired_token")
    return issue_token(user=user, name=request.client, scopes=SCOPES, expires_at=now() + TOKEN_LIFETIME)


def _wait(request: LoginRequest) -> NotYet:
    hasty = request.polled_at is not None and now() - request.polled_at < dt.timedelta(seconds=INTERVAL / 2)
    LoginRequest.objects.filter(pk=request.pk).update(polled_at=now())
    if hasty:
        return NotYet(f"Ask every {INTERVAL} seconds at most.", code="slow_down")
    return NotYet("The person has not confirmed the code yet. Ask again.", code="authorization_pending")
