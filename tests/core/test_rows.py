"""Rows written as arrays of columns are the rows that the ORM would have written."""

from __future__ import annotations

import datetime as dt

import pytest

from accounts.models import Tenant
from core.clock import now
from core.rows import insertion_of_many, new_row
from core.sql import run
from events.models import Event
from events.tracker.ids import new_id

pytestmark = pytest.mark.django_db

MOMENT = dt.datetime(2024, 2, 29, 23, 59, 59, 123456, dt.UTC)
VARIED = [
    {},
    {"stakeholders": ["a", 'b "c"', "d,e", "{f}", "\\g", "NULL", ""], "notifications": ["x"], "notification": True},
    {"started_at": MOMENT, "ended_at": MOMENT + dt.timedelta(days=3), "duration": dt.timedelta(days=3, microseconds=1)},
    {"title": "Ünï\"cödé\\ {x}, 'y'\n\t", "message": "", "slack_id": "NULL", "impact": 3, "status": 14},
    {"duration": dt.timedelta(0)},
]


def made(tenant: Tenant, **changes: object) -> Event:
    values = {
        "id": new_id(), "tenant_id": tenant.pk, "title": "Deploy", "service": "payment", "type": 1,
        "happened_at": MOMENT, "created_at": MOMENT, "updated_at": now(), "created_by": "devops@example.com",
    }  # fmt: skip
    return new_row(Event, values | changes)


@pytest.mark.parametrize("count", [1, 2, len(VARIED)])
def test_whatever_the_columns_hold_arrives_as_it_was(tenant, count):
    rows = [made(tenant, **changes) for changes in VARIED[:count]]
    run(*insertion_of_many(rows))
    kept = {event.pk: event for event in Event.objects.all()}
    for row in rows:
        for field in Event._meta.concrete_fields:
            assert getattr(kept[row.pk], field.attname) == getattr(row, field.attname), field.name
        assert not row._state.adding


def test_a_new_row_is_what_the_model_would_make(tenant):
    values = {"id": new_id(), "tenant_id": tenant.pk, "title": "Deploy", "created_at": MOMENT, "updated_at": MOMENT}
    ours, theirs = new_row(Event, values), Event(**values)
    names = [field.attname for field in Event._meta.concrete_fields]
    assert [getattr(ours, name) for name in names] == [getattr(theirs, name) for name in names]
    assert ours.stakeholders is not new_row(Event, values).stakeholders
