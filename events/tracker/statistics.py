"""Counting events by time, in all or by month and service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count
from django.db.models.functions import ExtractMonth, ExtractYear

from core.errors import InvalidInput
from events.models import Event
from events.models.records import EventQuerySet
from events.tracker.search import in_bounded_time

COUNTING_LIMIT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Period:
    """What is counted: events created from `since` to `until`; lists mean any of, several filters mean all of."""

    tenants: Sequence[int]
    since: dt.datetime
    until: dt.datetime
    any_of: dict[str, list[int]] = field(default_factory=dict)
    source: str = ""
    service: str = ""
    impact: bool | None = None

    def events(self) -> EventQuerySet:
        if self.until < self.since:
            raise InvalidInput({"endDate": ["endDate lies before startDate."]})
        rules: dict[str, Any] = {f"{name}__in": values for name, values in self.any_of.items() if values}
        rules |= {name: value for name in ("source", "service") if (value := getattr(self, name))}
        if self.impact is not None:
            rules["impact__gt" if self.impact else "impact"] = 0
        return Event.objects.filter(
            tenant_id__in=self.tenants, created_at__gte=self.since, created_at__lte=self.until, **rules
        ).order_by()


def count_events(period: Period) -> int:
    """How many, exactly. Unavailable when counting takes too long."""
    with in_bounded_time(COUNTING_LIMIT_MS):
        return period.events().count()


def count_by_month(period: Period, *, by_service: bool = False) -> list[dict[str, Any]]:
    """Year, month, count (and service), in that order; months without events are left out."""
    keys = ["year", "month", *(["service"] if by_service else [])]
    with in_bounded_time(COUNTING_LIMIT_MS):
        rows = period.events().annotate(year=ExtractYear("created_at"), month=ExtractMonth("created_at"))
        return list(rows.values(*keys).annotate(count=Count("pk")).order_by(*keys))
