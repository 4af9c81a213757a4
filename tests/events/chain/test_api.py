"""The REST face: chains, environments, clearance, freezes and measures, as a pipeline asks for them."""

from __future__ import annotations

import datetime as dt
from urllib.parse import urlencode

import pytest
import time_machine

from accounts.models import Tenant, User
from core.clock import now
from events.chain.following import follow_log
from events.chain.freezes import declare_freeze, list_freezes
from events.tracker.locks import acquire_lock
from events.tracker.vocabulary import Environment, Status, Type
from promotions.services import approve_request
from tests.api import call_as

READ = ["events:read", "tickets:read", "requests:read"]


@pytest.fixture
def ask(cpi):
    """GET as a user (default: cpi) after the log was read."""

    def get(path: str, user: User | None = None, scopes: list[str] = READ, expect: int = 200, **query):
        follow_log()
        answer = call_as(user or cpi, scopes).get(f"{path}?{urlencode(query)}")
        assert answer.status_code == expect, answer.content
        return answer.json()

    return get


def labels(answer) -> list[str]:
    return [thing["label"] for thing in answer["things"]]


def test_the_chain_of_a_ticket(record, ask):
    deployment = record(title="Deploy payment-api 2.1.0", ticket="PAY-1")
    incident = record(type=Type.incident, title="Checkout is slow", status=Status.open, related_id=deployment.pk)
    answer = ask("/v1/chain", ticket="pay-1")
    assert set(labels(answer)) == {
        "PAY-1", "Deploy payment-api 2.1.0", "production", "Checkout is slow",
    }  # fmt: skip
    assert not answer["truncated"]
    by_id = {thing["id"]: thing for thing in answer["things"]}
    assert [by_id[start]["key"] for start in answer["starts"]] == ["PAY-1"]
    assert max(thing["depth"] for thing in answer["things"]) == 2
    ways = {(by_id[way["cause"]]["kind"], way["kind"], by_id[way["effect"]]["kind"]) for way in answer["ways"]}
    assert ("deployment", "caused", "incident") in ways
    near = ask("/v1/chain", ticket="PAY-1", depth=1)
    assert near["truncated"]
    assert "Checkout is slow" not in labels(near)
    assert "PAY-1" in labels(ask("/v1/chain", incident=str(incident.pk), direction="ancestors"))
    assert labels(ask("/v1/chain", incident=str(incident.pk), direction="descendants")) == ["Checkout is slow"]
    assert "Checkout is slow" in labels(ask("/v1/chain", artifact="payment-api"))


@pytest.mark.parametrize(
    "query", [{}, {"ticket": "A-1", "commit": "abc"}, {"ticket": "A-1", "depth": 51}, {"ticket": "A-1", "limit": 0}]
)
def test_a_chain_begins_at_one_thing_and_is_bounded(ask, query):
    assert ask("/v1/chain", expect=400, **query)["code"] == "invalid"


def test_what_is_on_no_chain_is_not_found(ask, record, outsider):
    record(ticket="PAY-1")
    assert ask("/v1/chain", expect=404, ticket="PAY-2")["code"] == "not_found"
    assert ask("/v1/chain", expect=404, ticket="PAY-1", user=outsider)["code"] == "not_found"
    assert ask("/v1/chain", expect=404, ticket="PAY-1", user=outsider, tenant="tenant-finance")["code"] == "not_found"


def test_a_token_shows_no_more_than_its_scopes(make_request, ask, target, cpi, record):
    approve_request(promotion=make_request(tickets=("PAY-1",)), by=cpi)
    record(ticket="PAY-1")
    assert "payment-api 2.1.0" in labels(ask("/v1/chain", ticket="PAY-1"))
    assert labels(ask("/v1/chain", ticket="PAY-1", scopes=["events:read"])) == [
        "PAY-1", "Deploy payment-api", "production",
    ]  # fmt: skip


def test_somebody_elses_request_is_not_on_the_chain_of_a_developer(make_request, ask, devops, other_devops):
    request = make_request(tickets=("PAY-1",))
    assert request.number in {thing["key"] for thing in ask("/v1/chain", user=devops, ticket="PAY-1")["things"]}
    ask("/v1/chain", user=other_devops, ticket="PAY-1", expect=404)
    ask("/v1/chain", user=other_devops, request=request.number, expect=404)


def test_what_runs_in_production_now(record, ask):
    day = dt.timedelta(days=1)
    record(title="Deploy payment-api 2.0.0", started_at=now() - 3 * day, ended_at=now() - 3 * day)
    record(title="Deploy payment-api 2.1.0", started_at=now() - 2 * day, ended_at=now() - 2 * day)
    record(title="Deploy payment-api 2.2.0", status=Status.failure, started_at=now() - day, ended_at=now())
    record(title="Deploy ledger 1.0.0", service="ledger", environment=Environment.UAT)
    running = ask("/v1/environments/running", environment="prod")
    assert [(one["service"], one["version"], one["environment"]) for one in running] == [
        ("payment-api", "2.1.0", "production")
    ]
    assert ask("/v1/environments") == [{"name": "production", "services": 1}, {"name": "uat", "services": 1}]
    assert ask("/v1/environments/running", environment="moon") == []


def test_which_tickets_came_with_a_deployment(record, ask):
    hour = dt.timedelta(hours=1)
    record(title="Deploy payment-api 2.0.0", ticket="PAY-1", started_at=now() - 2 * hour)
    second = record(title="Deploy payment-api 2.1.0", ticket="PAY-2", started_at=now() - hour)
    cargo = ask("/v1/chain/tickets", deployment=str(second.pk))
    assert [ticket["key"] for ticket in cargo["tickets"]] == ["PAY-2"]
    assert cargo["since"]["label"] == "Deploy payment-api 2.0.0"


def clearance(ask, **query):
    return ask("/v1/environments/clearance", **({"service": "payment-api", "environment": "prod"} | query))


def codes(answer) -> list[str]:
    return [objection["code"] for objection in answer["objections"]]


def test_nothing_stands_against_a_service_nobody_knows(ask, tenant, cpi):
    assert clearance(ask) | {"checkedAt": ""} == {
        "allowed": True, "answer": "allowed", "tenant": "tenant-finance", "service": "payment-api",
        "environment": "production", "version": "", "checkedAt": "", "objections": [],
    }  # fmt: skip


def test_a_lock_prevents(ask, tenant, devops):
    acquire_lock(
        tenant=tenant, content={"service": "payment-api", "environment": "production", "who": "ops"}, by=devops
    )
    answer = clearance(ask)
    assert (answer["allowed"], answer["answer"], codes(answer)) == (False, "prevented", ["locked"])
    assert "ops" in answer["objections"][0]["message"]
    assert clearance(ask, environment="UAT")["allowed"]
    assert clearance(ask, service="ledger")["allowed"]


def test_an_open_incident_prevents_until_it_is_closed(ask, record, devops):
    from events.tracker.records import update_event

    incident = record(type=Type.incident, title="Checkout is slow", status=Status.open)
    assert codes(clearance(ask)) == ["incident_open"]
    update_event(event=incident, content={"status": Status.close}, by=devops)
    assert clearance(ask)["allowed"]


def test_production_waits_for_the_approval(ask, make_request, cpi, target, other_devops):
    request = make_request()
    pending = clearance(ask)
    assert (pending["answer"], codes(pending)) == ("awaiting", ["approval_pending"])
    assert pending["objections"][0]["details"] == {"request": request.number}
    hidden = clearance(ask, user=other_devops)
    assert (hidden["answer"], hidden["objections"][0]["details"]) == ("awaiting", {})
    assert request.number not in str(hidden)
    assert codes(clearance(ask, version="9.9.9")) == ["no_request"]
    approve_request(promotion=request, by=cpi)
    assert clearance(ask, version="v2.1.0")["allowed"]
    assert clearance(ask, environment="staging")["allowed"]


FREEZE = {"reason": "Year end closing", "environment": "prod"}


def test_a_freeze_that_is_over_is_not_listed(cpi, tenant):
    freeze = declare_freeze(tenant=tenant, reason="Quarter-end closing", ends_at=now() + dt.timedelta(hours=1), by=cpi)
    assert list_freezes(cpi) == [freeze]
    with time_machine.travel(now() + dt.timedelta(hours=2)):
        assert list_freezes(cpi) == []
        assert list_freezes(cpi, over=True) == [freeze]


def test_what_prevents_is_told_before_what_waits(ask, make_request, target, tenant, devops):
    make_request(target_name="payment-api", version="2.1.0")
    content = {"service": "payment-api", "environment": "production", "who": "ops"}
    acquire_lock(tenant=tenant, content=content, by=devops)
    answer = clearance(ask, version="2.1.0")
    assert answer["answer"] == "prevented"
    assert [one["answer"] for one in answer["objections"]] == ["prevented", "awaiting"]


def test_a_freeze_holds_up_until_it_is_lifted(ask, cpi, viewer):
    caller = call_as(cpi, ["events:read", "events:write"])
    ends = (now() + dt.timedelta(hours=2)).isoformat()
    made = caller.post("/v1/freezes", FREEZE | {"endsAt": ends})
    assert made.status_code == 201, made.content
    freeze = made.json()
    assert (freeze["environment"], freeze["service"]) == ("production", "")
    assert caller.get(made.headers["Location"]).json() == freeze
    assert (clearance(ask)["answer"], codes(clearance(ask, service="ledger"))) == ("prevented", ["frozen"])
    assert clearance(ask, environment="staging")["allowed"]
    assert [one["id"] for one in ask("/v1/freezes", user=viewer)] == [freeze["id"]]
    assert caller.call("DELETE", f"/v1/freezes/{freeze['id']}").json()["liftedAt"]
    assert caller.call("DELETE", f"/v1/freezes/{freeze['id']}").status_code == 400
    assert clearance(ask)["allowed"]
    assert ask("/v1/freezes") == []
    assert len(ask("/v1/freezes", over="true")) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"reason": "short"}, "reason"), ({"endsAt": "2001-01-01T00:00:00Z"}, "endsAt"),
     ({"endsAt": "2999-01-01T00:00:00Z"}, "endsAt")],
)  # fmt: skip
def test_a_freeze_has_a_reason_and_an_end(cpi, changes, field):
    sent = FREEZE | {"endsAt": (now() + dt.timedelta(hours=2)).isoformat()} | changes
    answer = call_as(cpi, ["events:write"]).post("/v1/freezes", sent)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)


def test_only_who_decides_freezes(devops, outsider, cpi):
    sent = FREEZE | {"endsAt": (now() + dt.timedelta(hours=2)).isoformat()}
    assert call_as(devops, ["events:write"]).post("/v1/freezes", sent).status_code == 403
    freeze = call_as(cpi, ["events:write"]).post("/v1/freezes", sent).json()
    assert call_as(devops, ["events:write"]).call("DELETE", f"/v1/freezes/{freeze['id']}").status_code == 403
    assert call_as(outsider, ["events:write"]).call("DELETE", f"/v1/freezes/{freeze['id']}").status_code == 404


def test_no_data_is_not_zero(ask, record, tenant):
    nothing = ask("/v1/measures")
    assert [nothing[name]["value"] for name in ("deploymentFrequency", "leadTime", "changeFailureRate", "timeToRestore")] == [
        None, None, None, None,
    ]  # fmt: skip
    record(ticket="PAY-1")
    told = ask("/v1/measures", by="service")
    assert told["changeFailureRate"]["value"] == 0
    assert told["timeToRestore"]["value"] is None
    assert [group["name"] for group in told["groups"]] == ["payment-api"]
    assert ask("/v1/measures", service="ledger")["changeFailureRate"]["value"] is None
    assert ask("/v1/measures", environment="prod")["deployments"] == 1


@pytest.mark.parametrize(
    "query",
    [{"since": "2030-01-02T00:00:00Z", "until": "2030-01-01T00:00:00Z"}, {"by": "moon"},
     {"since": "2001-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z"}, {"since": "yesterday"}],
)  # fmt: skip
def test_periods_that_cannot_be(ask, query):
    ask("/v1/measures", expect=400, **query)


def test_a_period_has_at_most_366_days(ask):
    ask("/v1/measures", since="2028-01-01T00:00:00Z", until="2029-01-01T00:00:00Z")
    ask("/v1/measures", since="2028-01-01T00:00:00Z", until="2029-01-01T00:00:01Z", expect=400)


def test_measures_keep_tenants_apart(ask, record, outsider, other_tenant: Tenant):
    record()
    record(by=outsider, in_tenant=other_tenant, service="catalog-api")
    assert [group["name"] for group in ask("/v1/measures", by="tenant")["groups"]] == ["tenant-finance"]
    assert [group["name"] for group in ask("/v1/measures", by="service", user=outsider)["groups"]] == ["catalog-api"]
    assert ask("/v1/measures", tenant="tenant-finance", user=outsider)["deployments"] == 0
