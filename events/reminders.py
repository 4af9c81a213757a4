"""Reminders of what nobody did: deliveries given up, tokens about to end; each once, also with two beats."""

from __future__ import annotations

import datetime as dt

from django.db import connection, transaction
from django.db.models import Count, Max

from accounts.models import ApiToken
from core.clock import now
from events.models import Delivery, DeliveryState, Reminder
from events.services import publish
from events.types import Audience, Subject

TOKEN_NOTICE = dt.timedelta(days=7)
# A token that lives no longer than this is meant to end.
SHORT_LIFE = dt.timedelta(days=14)
BETWEEN_LETTERS = dt.timedelta(hours=1)
AT_ONCE = 500


def first_time(kind: str, key: str) -> bool:
    """Whether nobody was reminded of this before; call it in the transaction that publishes the fact.

    A second beat waits here for the first one's end, and then sees that it came too late.
    """
    assert connection.in_atomic_block, "the mark and its fact belong in one transaction"
    return Reminder.objects.get_or_create(kind=kind, key=key)[1]


def remind_of_tokens() -> int:
    """Tell the owners of tokens that end within a week; how many. Leaves `notices.token_expires`."""
    moment = now()
    ending = ApiToken.objects.usable().filter(expires_at__lt=moment + TOKEN_NOTICE).select_related("user")
    told = {int(key) for key in Reminder.objects.filter(kind="token").values_list("key", flat=True)}
    lasting = [each for each in ending[:AT_ONCE] if each.expires_at and each.expires_at - each.created_at > SHORT_LIFE]
    return sum(_remind_of_token(token) for token in lasting if token.pk not in told)


@transaction.atomic
def _remind_of_token(token: ApiToken) -> bool:
    if not first_time("token", str(token.pk)):
        return False
    assert token.expires_at is not None
    publish(
        type="notices.token_expires", subject=Subject("token", str(token.pk), token.name), tenant=None, by=None,
        data={"user": str(token.user.public_id), "name": token.name, "expires_at": token.expires_at.isoformat()},
        audience=Audience(users=(token.user_id,)),
    )  # fmt: skip
    return True


@transaction.atomic
def remind_of_dead_letters() -> bool:
    """Tell the operators, at most hourly, of deliveries that were given up since they were told last."""
    last = Reminder.objects.filter(kind="dead letters").order_by("-created_at").first()
    if last is not None and now() - last.created_at < BETWEEN_LETTERS:
        return False
    dead = Delivery.objects.filter(state=DeliveryState.DEAD, pk__gt=int(last.key) if last else 0)
    channels = dict(dead.order_by().values_list("channel").annotate(Count("pk")))
    newest = dead.aggregate(newest=Max("pk"))["newest"]
    if newest is None or not first_time("dead letters", str(newest)):
        return False
    publish(
        type="notices.given_up", subject=Subject("deliveries", str(newest), "Deliveries"), tenant=None, by=None,
        data={"channels": channels, "count": sum(channels.values())}, audience=Audience(),
    )  # fmt: skip
    return True
