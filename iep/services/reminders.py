"""Stamps that nobody touches any more: their people are reminded, once for each time that they were touched last."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from core.clock import now
from events.models import Reminder
from events.reminders import first_time
from iep.models import Stamp
from iep.services.facts import publish_about
from iep.states import OPEN

KIND = "stale stamp"
AT_ONCE = 500


def remind_of_stale_stamps() -> int:
    """Of tickets left in dev or QA for IEP_STALE_DAYS; how many. Leaves `stamp.stale`, once until it is touched again."""
    if not settings.IEP_STALE_AFTER:
        return 0
    left = Stamp.objects.filter(stage__in=OPEN, sign_off="", updated_at__lt=now() - settings.IEP_STALE_AFTER)
    found = list(left.select_related("application__tenant", "ticket").order_by("-updated_at")[:AT_ONCE])
    keys = {_key(stamp) for stamp in found}
    told = set(Reminder.objects.filter(kind=KIND, key__in=keys).values_list("key", flat=True))
    return sum(_remind(stamp) for stamp in found if _key(stamp) not in told)


def _key(stamp: Stamp) -> str:
    return f"{stamp.pk} {stamp.updated_at.isoformat()}"


@transaction.atomic
def _remind(stamp: Stamp) -> bool:
    if not first_time(KIND, _key(stamp)):
        return False
    days = (now() - stamp.updated_at).days
    publish_about(stamp, "stamp.stale", by=None, data={"days": days, "since": stamp.updated_at.isoformat()})
    return True
