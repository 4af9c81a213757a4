"""What we wrote elsewhere is forgotten once it is old and was not touched since."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import override_settings

from core.clock import now
from events import tasks
from events.connections.marks import CHANGE, recall, remember
from events.models import Connection, OutsideMark

DAY = dt.timedelta(days=1)


@pytest.fixture
def connection(tenant) -> Connection:
    return Connection.objects.create(tenant=tenant, kind="jira", name="acme", url="https://acme.example")


def test_old_marks_are_forgotten_and_those_that_were_touched_stay(connection):
    OutsideMark.objects.bulk_create(
        OutsideMark(connection=connection, kind=CHANGE, key=str(number), made_at=now() - 400 * DAY)
        for number in range(1203)
    )
    remember(connection, CHANGE, "7", {"again": True})
    OutsideMark.objects.filter(key="8").update(made_at=now() - 364 * DAY)
    with override_settings(OUTSIDE_MARK_RETENTION=dt.timedelta()):
        tasks.forget_old_events()
    assert OutsideMark.objects.count() == 1203
    tasks.forget_old_events()
    assert set(OutsideMark.objects.values_list("key", flat=True)) == {"7", "8"}
    assert recall(connection, CHANGE, "7") == {"again": True}
