"""What belongs to another tenant does not exist: not in lists, searches, counts, statistics, exports, nor by id."""

from __future__ import annotations

import pytest

from events.models import CatalogEntry, Event, Lock
from events.tracker.catalog import put_entry
from events.tracker.locks import acquire_lock
from events.tracker.records import record_event
from tests.events.tracker.conftest import columns, deployment, rest_of

pytestmark = pytest.mark.django_db

USES = [{"name": "kit", "type": "library", "versionUsed": "1"}]
ENTRY = {"name": "ledger", "owner": "ana", "version": "1", "used_deliverables": USES}
YEARS = "start_date=2000-01-01&end_date=2100-01-01"


@pytest.fixture
def theirs(tenant, devops):
    """One of each in a tenant that the foreigner has no role in."""
    event = record_event(tenant=tenant, content=columns(slack_id="17.1", ticket="PAY-1", owner="ana"), by=devops)
    lock = acquire_lock(tenant=tenant, content={"service": "ledger", "who": "ana"}, by=devops)
    put_entry(tenant=tenant, content=ENTRY, by=devops)
    return {"event": str(event.pk), "lock": str(lock.pk)}


EMPTY = {
    "events/list": "events", "events/today": "events", "events/search?service=ledger": "events",
    "events/search?slack_id=17.1": "events", "events/search?q=deploy": "events", "events/search?ticket=PAY-1": "events",
    "events/search?owner=ana": "events", "events/search?type=1": "events", "events/list?tenant=tenant-finance": "events",
    f"events/stats/monthly?{YEARS}&group_by_service=true": "stats", "locks/list": "locks", "catalogs/list": "catalogs",
    "catalog/version-compliance": "projects",
}  # fmt: skip


@pytest.mark.parametrize("path", EMPTY)
def test_lists_and_counts_of_a_foreigner_are_empty(theirs, foreign, rest, path):
    status, answer = foreign.get(path)
    assert status == 200
    assert answer[EMPTY[path]] == []
    assert str(answer.get("totalCount", 0)) == "0"
    if "summary" in answer:
        assert answer["summary"]["totalProjects"] == 0
    assert rest.get(path)[1][EMPTY[path]] != [], "the owner does see something there"


def test_statistics_and_exports_of_a_foreigner_are_empty(theirs, foreign, rest):
    assert foreign.get(f"events/stats?{YEARS}")[1]["totalCount"] == "0"
    assert rest.get(f"events/stats?{YEARS}")[1]["totalCount"] == "1"
    assert foreign.get("events/export")[1] == ""
    assert len(foreign.get("events/export?format=csv")[1].splitlines()) == 1
    assert len(rest.get("events/export?format=csv")[1].splitlines()) == 2


CALLS = [
    ("GET", "event/{event}", None), ("GET", "event/17.1", None), ("DELETE", "event/{event}", None),
    ("DELETE", "event/17.1", None), ("PUT", "event", {"id": "{event}", "title": "mine"}),
    ("PUT", "event", {"slackId": "17.1", "title": "mine"}), ("GET", "event/{event}/changelog", None),
    ("POST", "event/{event}/changelog", {"entry": {"comment": "x"}}), ("POST", "event/{event}/slack", {"slackId": "x"}),
    ("GET", "lock/{lock}", None), ("PUT", "lock/{lock}", {"who": "me"}), ("GET", "unlock/{lock}", None),
    ("DELETE", "lock/{lock}", None), ("GET", "catalog?name=ledger", None), ("DELETE", "catalog?name=ledger", None),
    ("PUT", "catalog/ledger/versions", {"latestVersion": "9"}), ("PUT", "catalog/ledger/dependencies", {}),
    ("POST", "event", deployment() | {"tenant": "tenant-finance"}),
    ("POST", "lock", {"service": "ledger", "tenant": "tenant-finance"}),
    ("PUT", "catalog", {"name": "a", "owner": "b", "version": "c", "tenant": "tenant-finance"}),
    ("POST", "events/batch", {"tenant": "tenant-finance", "events": [deployment()]}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_a_foreigner_cannot_reach_it_by_name(theirs, foreign, method, path, body):
    before = snapshot()
    body = {k: v.format(**theirs) if isinstance(v, str) else v for k, v in body.items()} if body else None
    status, answer = foreign.call(method, path.format(**theirs), body)
    assert (status, answer["code"]) == (404, 5), answer
    assert snapshot() == before


def snapshot():
    return [list(model.objects.order_by("pk").values()) for model in (Event, Lock, CatalogEntry)]


def test_what_ties_two_events_stays_within_a_tenant(theirs, foreign):
    assert foreign.post("event", deployment(relatedId=theirs["event"]))[0] == 400
    assert foreign.post("lock", {"service": "x", "eventId": theirs["event"]})[0] == 400
    assert foreign.get(f"events/search?related_id={theirs['event']}")[1]["events"] == []


def test_the_same_names_live_side_by_side(theirs, foreign):
    assert foreign.post("event", deployment() | {"slackId": "17.1"})[0] == 200
    assert foreign.post("lock", {"service": "ledger", "who": "me"})[0] == 200
    assert foreign.put("catalog", {"name": "ledger", "owner": "me", "version": "1"})[0] == 200
    assert foreign.get("event/17.1")[1]["event"]["metadata"]["tenant"] == "tenant-retail"


def test_someone_of_both_tenants_sees_both_in_one_order(theirs, tenant, other_tenant, cpi_admin, devops):
    for number in range(3):
        home = other_tenant if number % 2 else tenant
        record_event(tenant=home, content=columns(title=f"Number {number}"), by=None)
    both = rest_of(cpi_admin)
    assert both.get("events/list")[1]["totalCount"] == 4
    titles, cursor = [], ""
    for _ in range(4):
        _, page = both.get(f"events/list?per_page=1&cursor={cursor}")
        titles += [event["title"] for event in page["events"]]
        cursor = page["nextCursor"]
    assert titles == ["Number 2", "Number 1", "Number 0", "Deploy ledger"]
    assert cursor == ""
