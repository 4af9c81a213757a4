"""A release is a deployment in the event tracker, once."""

from __future__ import annotations

import pytest

from events.models import DomainEvent, Event
from iep.services import revert_stamp
from iep.subscribers import record_deployment

pytestmark = pytest.mark.django_db


def test_releases_and_reverts_are_deployments(release, cpi):
    stamp = release("TKT-001", {"src/cart.js": b"new"})
    revert_stamp(stamp=stamp, by=cpi, reason="It loses items")
    for fact in DomainEvent.objects.filter(type__in=["stamp.released", "stamp.taken_back"]).order_by("sequence"):
        record_deployment(fact)
        record_deployment(fact)
    found = list(Event.objects.order_by("started_at").values_list("title", "service", "ticket"))
    assert found == [
        ("Release TKT-001 on shop (r2)", "shop", "TKT-001"), ("Take back TKT-001 on shop (r3)", "shop", "TKT-001"),
    ]  # fmt: skip
