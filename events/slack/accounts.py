"""Which account a person in Slack acts as: linked once, by a code that only the account's owner gets to see."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.db import transaction

from accounts.models import User
from core.clock import now
from core.errors import Conflict, NotFound
from events.models import SlackAccount, SlackCode

CODE_LIVES = dt.timedelta(minutes=10)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def _digest(code: str) -> str:
    return hashlib.sha256(code.strip().upper().encode()).hexdigest()


def make_code(*, by: User) -> str:
    """A code to type in Slack within ten minutes; an earlier one is worth nothing any more."""
    code = "".join(secrets.choice(_LETTERS) for _ in range(10))
    SlackCode.objects.update_or_create(user=by, defaults={"digest": _digest(code), "expires_at": now() + CODE_LIVES})
    return code


@transaction.atomic
def link_account(*, team: str, slack_user: str, code: str) -> User:
    """The account whose code it is acts for this person in Slack from now on.

    NotFound for a code that is unknown, used or too old; Conflict when either side is linked already.
    """
    found = SlackCode.objects.select_for_update().filter(digest=_digest(code), expires_at__gt=now()).first()
    if found is None or not found.user.is_active:
        raise NotFound("This code is not valid (any more). Get a new one on your profile, it lives ten minutes.")
    user = found.user
    if SlackAccount.objects.filter(user=user).exists() or find_account(team, slack_user) is not None:
        raise Conflict("One of the two is linked already. Unlink it on the profile first.", code="already_linked")
    SlackAccount.objects.create(user=user, team=team, slack_user=slack_user)
    found.delete()
    return user


def unlink_account(*, by: User) -> None:
    """Nobody in Slack acts for `by` any more."""
    SlackAccount.objects.filter(user=by).delete()


def find_account(team: str, slack_user: str) -> User | None:
    """Who this person in Slack is here; None when not linked, or the account is closed."""
    account = SlackAccount.objects.select_related("user").filter(team=team, slack_user=slack_user).first()
    return account.user if account is not None and account.user.is_active else None
