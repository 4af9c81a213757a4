"""A release and its revert each leave one deployment event, however often the fact is delivered."""

from __future__ import annotations

import pytest

from events import outbox
from events.models import Delivery, Event
from iep.services import revert_stamp
from iep.services.change import load

pytestmark = pytest.mark.django_db


def deliver() -> None:
    outbox.route_facts()
    outbox.deliver_channel("releases as deployments")


def test_a_release_is_a_deployment_event_and_so_is_its_revert(shop, save, release, cpi):
    stamp = release("TKT-001", {"src/cart.js": b"new"})
    deliver()
    event = Event.objects.get()
    assert (event.title, event.service, event.ticket) == ("Release TKT-001 on shop (r2)", "shop", "TKT-001")
    assert Delivery.objects.get(channel="releases as deployments").receipt == {"event": str(event.pk)}
    revert_stamp(stamp=load(stamp), by=cpi, reason="It loses items.")
    deliver()
    assert set(Event.objects.values_list("title", flat=True)) == {
        "Release TKT-001 on shop (r2)",
        "Take back TKT-001 on shop (r3)",
    }


def test_the_same_fact_twice_is_one_event(shop, release):
    release("TKT-001", {"src/cart.js": b"new"})
    deliver()
    Delivery.objects.update(state="queued", next_at="2000-01-01T00:00:00Z")
    outbox.deliver_channel("releases as deployments")
    assert Delivery.objects.get(channel="releases as deployments").state == "done"
    assert Event.objects.count() == 1
