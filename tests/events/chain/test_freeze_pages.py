"""The pages of freezes and of "may I deploy?": who sees them, who may change what, what they cost."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.clock import now
from events.chain.freezes import declare_freeze
from events.models import DomainEvent, Freeze

TYPED = {
    "tenant": "tenant-finance",
    "environment": "Prod",
    "service": "",
    "starts_at": "",
    "reason": "Year end closing",
}


def until(hours: int) -> str:
    return (now() + dt.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M")


@pytest.fixture
def freeze(tenant, cpi) -> Freeze:
    return declare_freeze(
        tenant=tenant, reason="Year <end> closing", ends_at=now() + dt.timedelta(hours=2), environment="prod", by=cpi
    )


def test_who_decides_on_production_declares_and_ends_a_freeze(browse, cpi, tenant):
    client = browse(cpi)
    assert client.post("/events/freezes/", TYPED | {"ends_at": until(3)}).status_code == 303
    freeze = Freeze.objects.get()
    assert (freeze.environment, freeze.service, freeze.declared_by) == ("production", "", cpi)
    assert "Year end closing" in client.get("/events/freezes/").content.decode()
    asked = client.get(f"/events/freezes/{freeze.pk}/lift/")
    assert "End the freeze of Production?" in asked.content.decode()
    assert [client.post(f"/events/freezes/{freeze.pk}/lift/").status_code for _ in range(2)] == [303, 303]
    facts = DomainEvent.objects.filter(subject_type="freeze").values_list("type", flat=True)
    assert list(facts) == ["freeze.declared", "freeze.lifted"]
    assert client.get("/events/freezes/").context["freezes"] == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({}, "A freeze ends after it starts"),
        ({"ends_at": "soon"}, "Write it as"),
        ({"ends_at": until(-3)}, "A freeze ends after it starts"),
        ({"ends_at": until(3), "reason": "x"}, "Say why"),
        ({"ends_at": until(3), "tenant": "tenant-retail"}, "Choose one of your tenants"),
    ],
)
def test_what_was_typed_is_kept_beside_the_reason(browse, cpi, other_tenant, typed, words):
    answer = browse(cpi).post("/events/freezes/", TYPED | {"ends_at": ""} | typed)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert "Prod" in answer.content.decode()
    assert not Freeze.objects.exists()


def test_others_read_and_strangers_do_not(browse, viewer, devops, outsider, client, freeze):
    for person in (viewer, devops):
        page = browse(person).get("/events/freezes/")
        assert "Year &lt;end&gt; closing" in page.content.decode()
        assert page.context["form"] is None
        assert browse(person).post("/events/freezes/", TYPED | {"ends_at": until(3)}).status_code == 403
        assert browse(person).post(f"/events/freezes/{freeze.pk}/lift/").status_code == 403
    assert browse(outsider).get("/events/freezes/").context["freezes"] == []
    assert browse(outsider).get(f"/events/freezes/{freeze.pk}/lift/").status_code == 404
    assert client.get("/events/freezes/").status_code == 302
    assert Freeze.objects.count() == 1


def test_may_i_deploy(browse, viewer, outsider, freeze):
    answer = browse(viewer).get("/events/clearance/?service=shop&environment=PRD")
    page = answer.content.decode()
    assert "It may not be deployed" in page
    assert "Year &lt;end&gt; closing" in page
    assert (
        "Nothing stands against it"
        in browse(viewer).get("/events/clearance/?service=shop&environment=qa").content.decode()
    )
    assert (
        browse(outsider).get("/events/clearance/?service=shop&environment=prod").context["clearance"].objections == []
    )
    assert browse(viewer).get("/events/clearance/").context["clearance"] is None
    assert browse(viewer).get("/events/clearance/?service=%00&environment=prod&tenant=x").status_code == 200


def test_both_pages_cost_the_same_at_any_size(browse, cpi, tenant, make_request):
    make_request()
    client = browse(cpi)
    for address in ("/events/freezes/", "/events/clearance/?service=payment-api&environment=prod"):
        measured = []
        for count in (1, 60):
            for number in range(count):
                ends = now() + dt.timedelta(hours=2 + number)
                declare_freeze(tenant=tenant, reason="Year end closing", ends_at=ends, by=cpi)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(address).status_code == 200
            measured.append(len(queries))
        assert measured[0] == measured[1] <= 8, (address, "\n".join(query["sql"][:300] for query in queries))
