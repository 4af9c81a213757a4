"""The deliveries page: only of one's own tenants, every attempt, retry of one or all, and the health of the channels."""

from __future__ import annotations

import datetime as dt

import pytest

from accounts.roles import Role
from core.clock import now
from events import outbox
from events.deliveries import DeliveryFilter, channel_states, find_deliveries
from events.health import check_outbox
from events.models import ChannelHealth, Delivery, DomainEvent

MOST_QUERIES = 12


@pytest.fixture
def dead(pending, cpi, cpi_admin):
    """Two mails of a request that were given up after an attempt."""
    outbox.route_facts()
    mails = Delivery.objects.filter(channel="email")
    mails.update(
        state="dead", attempts=1, last_error="550 No such user",
        trail=[{"at": "2026-03-10T09:00:00Z", "attempt": 1, "error": "550 No such user"}],
    )  # fmt: skip
    return mails


def test_attempts_and_errors_are_shown(browse, cpi, dead, pending):
    page = browse(cpi).get("/deliveries/?state=dead").content.decode()
    assert page.count("550 No such user") >= 2
    assert pending.number in page
    assert "2 given up" in page


def test_what_is_of_another_tenant_is_not_there(browse, make_user, other_tenant, dead):
    stranger = make_user("stranger", other_tenant, Role.CPI)
    page = browse(stranger).get("/deliveries/").content.decode()
    assert ("550" in page, "given up</a>" in page) == (False, False)
    assert browse(stranger).post(f"/deliveries/{dead.first().pk}/retry/").status_code == 404
    browse(stranger).post("/deliveries/retry/")
    assert dead.filter(state="dead").count() == 2


def test_one_is_tried_again(browse, cpi, dead):
    first = dead.first()
    assert browse(cpi).post(f"/deliveries/{first.pk}/retry/", {"next": "/deliveries/?state=dead"}).status_code == 303
    assert sorted(dead.values_list("state", flat=True)) == ["dead", "queued"]
    fact = DomainEvent.objects.get(type="delivery.retried")
    assert (fact.actor_label, fact.data["count"]) == ("cpi@example.com", 1)


def test_all_of_a_channel_are_tried_again(browse, cpi, dead):
    Delivery.objects.filter(channel="audit").update(state="dead")
    browse(cpi).post("/deliveries/retry/", {"channel": "email"})
    assert set(dead.values_list("state", flat=True)) == {"queued"}
    assert Delivery.objects.get(channel="audit").state == "dead"
    assert DomainEvent.objects.get(type="delivery.retried").data["count"] == 2


def test_filters(cpi, dead, pending):
    def found(**query: str) -> int:
        return find_deliveries(cpi, DeliveryFilter.of(query)).count()

    assert found(state="dead") == 2
    assert found(state="nonsense") == found()
    assert found(channel="audit") == 1
    assert found(q=pending.number.lower()) == 3
    assert found(q="cpi@example.com") == 1
    assert found(q="x\x00y") == 0


def test_health_is_told_by_channel_and_a_resting_one_is_no_lag(cpi, pending):
    outbox.route_facts()
    Delivery.objects.update(created_at=now() - dt.timedelta(hours=1))
    Delivery.objects.exclude(channel="email").update(state="done")
    assert not check_outbox()["ok"]
    ChannelHealth.objects.create(channel="email", failures=4, rests_until=now() + dt.timedelta(minutes=1), error="busy")
    assert check_outbox()["ok"], "it is the mail server's trouble, not the outbox's"
    [email] = [state for state in channel_states(cpi) if state.name == "email"]
    assert (email.is_up, email.rests, email.waiting) == (False, True, 1)


def test_the_page_costs_the_same_for_many(browse, cpi, dead, make_request, django_assert_max_num_queries):
    page = browse(cpi)
    for number in range(30):
        make_request(target_name=f"service-{number}")
    outbox.route_facts()
    with django_assert_max_num_queries(MOST_QUERIES):
        assert page.get("/deliveries/").status_code == 200
