"""The chain on the pages of tickets, requests and events, its own page, and the page of measures."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.clock import now
from events.chain.following import follow_log
from events.tracker.vocabulary import Status, Type
from tickets.services import ensure_project, open_ticket
from tickets.types import TicketContent


@pytest.fixture
def incident(tenant, devops, record, make_request):
    """PAY-1 is asked for and deployed, and an incident follows; the log was read."""
    project = ensure_project(key="finance/payments", by=devops, tenant=tenant)
    open_ticket(project=project, by=devops, key="PAY-1", content=TicketContent("Pay faster"))
    make_request(tickets=("PAY-1",))
    record(title="Deploy ledger 1.0.0", service="ledger", started_at=now() - dt.timedelta(hours=1))
    deployment = record(title="Deploy payment-api 2.1.0", ticket="PAY-1")
    found = record(type=Type.incident, title="Checkout is <slow>", status=Status.open, related_id=deployment.pk)
    follow_log()
    return found


def text_of(client, address: str, **headers) -> str:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def test_the_page_of_a_ticket_shows_its_chain(browse, devops, incident):
    page = text_of(browse(devops), "/tickets/PAY-1/")
    assert "Deploy payment-api 2.1.0" in page
    assert "Checkout is &lt;slow&gt;" in page
    assert f"/events/{incident.pk}/" in page


def test_the_page_of_a_request_shows_its_ticket(browse, cpi, incident):
    number = "PR-2026-0001" if now().year == 2026 else f"PR-{now().year}-0001"
    page = text_of(browse(cpi), f"/requests/{number}/")
    assert 'id="chain"' in page
    assert "Pay faster" in page


def test_the_page_of_an_event_asks_for_its_chain_and_gets_it(browse, devops, incident):
    client = browse(devops)
    address = f"/chain/incident/{incident.pk}/?tenant=tenant-finance"
    assert f'{address}&amp;part=card"' in text_of(client, f"/events/{incident.pk}/")
    card = text_of(client, f"{address}&part=card", **{"HX-Request": "true"})
    assert "<html" not in card
    assert "Pay faster" in card


def test_the_page_of_an_incident_ranks_what_changed_before(browse, devops, incident):
    client = browse(devops)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(f"/chain/incident/{incident.pk}/")
    assert len(queries) <= 8, "\n".join(query["sql"][:200] for query in queries)
    ranked = [suspect.node.label for suspect, _ in answer.context["suspects"]]
    assert ranked == ["Deploy payment-api 2.1.0", "Deploy ledger 1.0.0"]
    first = answer.context["suspects"][0][0]
    assert first.reasons[0] == "The incident is recorded as caused by it."


def test_of_equal_suspects_the_later_one_leads_and_plans_are_none(browse, devops, incident, record):
    for minute in (30, 28, 29):
        record(title=f"Deploy ledger {minute}", service="ledger", started_at=now() - dt.timedelta(minutes=minute))
    record(title="Deploy tomorrow", status=Status.planned, started_at=now() - dt.timedelta(minutes=5))
    follow_log()
    suspects = [suspect for suspect, _ in browse(devops).get(f"/chain/incident/{incident.pk}/").context["suspects"]]
    assert "Deploy tomorrow" not in {suspect.node.label for suspect in suspects}
    equal = [suspect for suspect in suspects if suspect.node.label in {f"Deploy ledger {n}" for n in (28, 29, 30)}]
    assert len({suspect.score for suspect in equal}) == 1
    assert [suspect.node.label for suspect in equal] == [f"Deploy ledger {n}" for n in (28, 29, 30)]


def test_the_page_of_a_deployment_tells_its_tickets(browse, devops, incident):
    answer = browse(devops).get(f"/chain/deployment/{incident.related_id}/")
    assert [line.node.key for line in answer.context["cargo_tickets"]] == ["PAY-1"]


@pytest.mark.parametrize("address", ["/chain/moon/1/", "/chain/ticket/NO-1/", "/chain/incident/%00/"])
def test_what_is_not_there_is_not_found(browse, devops, incident, address):
    assert browse(devops).get(address).status_code == 404


def test_strangers_and_other_tenants_see_nothing(browse, outsider, client, incident):
    assert browse(outsider).get(f"/chain/incident/{incident.pk}/").status_code == 404
    assert client.get(f"/chain/incident/{incident.pk}/").status_code == 302
    assert client.get("/events/measures/").status_code == 302


def test_the_measures_of_what_one_may_see(browse, devops, outsider, incident):
    answer = browse(devops).get("/events/measures/?by=service")
    assert {part.name for part in answer.context["parts"]} == {"payment-api", "ledger"}
    assert [tile.value for tile in answer.context["tiles"]][2:] == ["50 %", None]
    assert browse(outsider).get("/events/measures/").context["parts"] == []
    narrowed = browse(devops).get("/events/measures/?service=ledger&days=90&by=moon")
    assert [tile.value for tile in narrowed.context["tiles"]][2] == "0 %"


def test_the_page_of_measures_costs_the_same_at_any_size(browse, viewer, devops, tenant, incident):
    from events.tracker.bulk import record_events

    client = browse(viewer)
    measured = []
    for count in (1, 400):
        content = {"type": 1, "status": Status.success, "environment": 7}
        contents = [content | {"title": f"Deploy {n}", "service": f"service-{n % 7}"} for n in range(count)]
        record_events(tenant=tenant, contents=contents, by=devops)
        follow_log()
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/events/measures/").status_code == 200
        measured.append(len(queries))
    assert measured[0] == measured[1] <= 8, measured
