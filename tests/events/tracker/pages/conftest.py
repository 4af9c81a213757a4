"""Events for pages to show, one or many, and how many queries a page makes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from core.clock import now
from events.models import Event
from events.tracker.records import record_event
from tests.events.tracker.conftest import columns


@pytest.fixture
def make_event(tenant, devops) -> Callable[..., Event]:
    """Recorded by devops, unless it says otherwise."""

    def make(title: str = "Deploy ledger", *, by=devops, in_tenant=None, **changes: Any) -> Event:
        return record_event(tenant=in_tenant or tenant, content=columns(title=title, **changes), by=by)

    return make


@pytest.fixture
def make_many(tenant) -> Callable[..., None]:
    """Events without their facts, an hour apart, for lists of any length."""

    def make(count: int, **changes: Any) -> None:
        newest = now()
        Event.objects.bulk_create(
            Event(
                tenant=tenant, title=f"Event number {number}", type=1 + number % 5, status=number % 15,
                environment=number % 9, priority=number % 6, service=f"service-{number % 7}", created_by="someone",
                happened_at=newest - dt.timedelta(hours=number), **changes,
            )
            for number in range(count)
        )  # fmt: skip

    return make


def queries_of(client: Client, address: str) -> int:
    """How many statements read or write something; savepoints, which only tests make here, do not count."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return sum(not query["sql"].startswith(("SAVEPOINT", "RELEASE")) for query in captured)
