"""Remind those who may decide, at growing intervals, and escalate when that does not help."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import F

from core.clock import now
from core.errors import WrongState
from core.failpoints import failpoint
from promotions.models import PromotionRequest
from promotions.services.transition import load, publish_about
from promotions.states import State


def next_reminder(
    moment: dt.datetime, *, reminders: int, waits: Sequence[dt.timedelta] | None = None
) -> dt.datetime | None:
    """When to remind after so many reminders; past the waits (PROMOTION_REMINDERS) the last one doubles each time."""
    waits = settings.PROMOTION_REMINDERS if waits is None else waits
    if not waits:
        return None
    beyond = max(0, reminders - len(waits) + 1)
    return moment + waits[min(reminders, len(waits) - 1)] * 2**beyond


@transaction.atomic
def remind_approvers(*, promotion: PromotionRequest) -> PromotionRequest:
    """Its reminder is due: tell the approvers, or the CPI admins once all reminders were used up.

    Leaves `promotion.reminded` or `promotion.escalated`. WrongState when it is decided, not due, or another sweep was
    faster. The next wait counts from now, so an outage is followed by one reminder and not by all it missed.
    """
    moment = now()
    step = promotion.reminders
    changed = PromotionRequest.objects.filter(
        pk=promotion.pk, state=State.PENDING, reminders=step, remind_at__lte=moment
    ).update(reminders=F("reminders") + 1, remind_at=next_reminder(moment, reminders=step + 1))
    if not changed:
        raise WrongState(f"Nobody needs to be reminded of {promotion.number} now.")
    escalate = step >= len(settings.PROMOTION_REMINDERS)
    reminded = load(promotion)
    publish_about(
        reminded,
        "promotion.escalated" if escalate else "promotion.reminded",
        by=None,
        data={"reminder": step + 1, "waiting_seconds": round((moment - reminded.created_at).total_seconds())},
        at=moment,
    )
    failpoint("before_reminder_commit")
    return reminded
