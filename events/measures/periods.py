"""The period that is measured: what is asked for, within what can be read."""

from __future__ import annotations

import datetime as dt

from core.clock import now
from core.errors import InvalidInput
from events.measures.runs import Scope

USUAL = dt.timedelta(days=30)
LONGEST = dt.timedelta(days=366)


def scope_of(
    since: dt.datetime | None,
    until: dt.datetime | None,
    *,
    tenant: str = "",
    service: str = "",
    environment: str = "",
) -> Scope:
    """The last 30 days unless said otherwise; InvalidInput for a period that ends before it begins or is too long."""
    try:
        end = until or (now() if since is None else min(now(), since + LONGEST))
        begin = since or end - USUAL
    except OverflowError:
        raise InvalidInput({"since": ["Give a time of this age."]}) from None
    if begin >= end:
        raise InvalidInput({"until": ["The period has to end after it begins."]})
    if end - begin > LONGEST:
        raise InvalidInput({"since": ["Ask for at most 366 days at a time."]})
    return Scope(begin, end, tenant.replace("\x00", ""), service.replace("\x00", ""), environment.replace("\x00", ""))
