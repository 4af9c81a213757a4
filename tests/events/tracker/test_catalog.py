"""The catalogue: entries, versions, dependencies, compliance."""

from __future__ import annotations

import pytest

from events.models import CatalogEntry, DomainEvent
from events.tracker.catalog import put_entry
from events.tracker.compliance import is_older
from tests.races import at_once, winners

pytestmark = pytest.mark.django_db

LEDGER = {
    "name": "ledger",
    "type": "project",
    "languages": "golang",
    "owner": "accounting",
    "version": "1.8.1",
    "platform": "kubernetes",
    "dependenciesOut": ["payment-api"],
    "sla": {"level": "critical", "uptimePercentage": 99.9, "responseTimeMs": 0},
    "usedDeliverables": [{"name": "kit", "type": "library", "versionUsed": "1.9.0"}],
    "dashboardLinks": [{"type": "grafana", "name": "main", "url": "https://grafana.example.com"}],
    "vulnerabilitySummary": {"criticalCount": 1, "lastUpdated": "2024-01-15T10:00:00Z", "sources": [{"name": "scan"}]},
    "infrastructureResources": [{"id": "db", "type": "database_rds", "metadata": {"size": "large"}}],
}


def test_an_entry_comes_back_as_it_was_put(rest):
    status, answer = rest.put("catalog", LEDGER)
    assert status == 200
    _, entry = rest.get("catalog?name=ledger")
    assert entry == answer
    entry = entry["catalog"]
    for name in ("name", "type", "languages", "owner", "version", "platform", "dependenciesOut"):
        assert entry[name] == LEDGER[name]
    assert entry["sla"] == {"level": "critical", "uptimePercentage": 99.9, "responseTimeMs": 0, "description": ""}
    assert entry["vulnerabilitySummary"]["lastUpdated"] == "2024-01-15T10:00:00Z"
    assert entry["infrastructureResources"][0]["metadata"] == {"size": "large"}
    assert DomainEvent.objects.get().type == "catalog.entered"


def test_putting_again_keeps_versions_creation_and_what_is_not_named(rest):
    _, first = rest.put("catalog", LEDGER)
    rest.put("catalog/ledger/versions", {"availableVersions": ["1", "2"], "latestVersion": "2"})
    rest.put("catalog/ledger/dependencies", {"dependenciesIn": ["web"]})
    _, again = rest.put("catalog", {"name": "ledger", "version": "1.9.0", "latestVersion": "ignored"})
    entry = again["catalog"]
    assert (entry["version"], entry["owner"], entry["latestVersion"]) == ("1.9.0", "accounting", "2")
    assert (entry["dependenciesIn"], entry["dependenciesOut"]) == (["web"], ["payment-api"])
    assert entry["createdAt"] == first["catalog"]["createdAt"]
    assert entry["updatedAt"] > first["catalog"]["updatedAt"]


def test_lists_and_deletion(rest):
    for name in "abc":
        rest.put("catalog", LEDGER | {"name": name})
    _, page = rest.get("catalogs/list?per_page=2&page=2")
    assert ([entry["name"] for entry in page["catalogs"]], page["totalCount"]) == (["c"], 3)
    assert rest.get("catalogs/list?type=library")[1]["totalCount"] == 0
    assert rest.delete("catalog?name=a")[1] == {"message": "catalog deleted", "name": "a"}
    assert rest.delete("catalog?name=a")[0] == 404
    assert rest.get("catalog")[0] == 400


@pytest.mark.parametrize(
    "change", [{"name": ""}, {"owner": None}, {"version": " "}, {"type": "nope"}, {"type": 99}, {"languages": "x"},
               {"link": "javascript:x"}, {"name": "x" * 201}, {"dependenciesIn": "x"}, {"sla": 5}, {"sla": {"level": 9}},
               {"usedDeliverables": [5]}, {"infrastructureResources": [{"metadata": {"a": 5}}]}],
)  # fmt: skip
def test_bad_input(rest, change):
    status, answer = rest.put("catalog", LEDGER | change)
    assert (status, answer["code"]) == (400, 3), answer
    assert not CatalogEntry.objects.exists()


def test_compliance_tells_who_uses_old_versions(rest):
    rest.put("catalog", LEDGER)
    rest.put("catalog", {"name": "web", "owner": "x", "version": "1", "usedDeliverables": [
        {"name": "kit", "type": "library", "versionUsed": "1.10.0"}, {"name": "unknown", "versionUsed": "0"}]})  # fmt: skip
    rest.put("catalog", {"name": "kit", "type": "library", "owner": "x", "version": "1.11.0"})
    rest.put("catalog/kit/versions", {"latestVersion": "1.11.0", "referenceVersion": "1.10.0"})
    _, answer = rest.get("catalog/version-compliance")
    ledger, web = answer["projects"]
    assert (ledger["projectName"], ledger["outdatedCount"], ledger["compliancePercentage"]) == ("ledger", 1, 0.0)
    assert (web["outdatedCount"], web["totalCount"], web["compliancePercentage"]) == (0, 2, 100.0)
    assert ledger["deliverables"][0]["isOutdated"] is True
    summary = answer["summary"]
    assert (summary["compliantProjects"], summary["overallCompliancePercentage"]) == (1, 50.0)
    kit = summary["deliverableStats"][0]
    assert (kit["name"], kit["projectsUsing"], kit["projectsOutdated"], kit["type"]) == ("kit", 2, 1, "library")
    _, only = rest.get("catalog/version-compliance?types=library")
    assert only["projects"][1]["totalCount"] == 1


@pytest.mark.parametrize(
    ("version", "wanted", "older"),
    [("1.9.0", "1.10.0", True), ("v1.10", "1.10.0", False), ("2.0.0-rc1", "2.0.0", True), ("2.0.0", "2.0.0-rc1", False),
     ("2.0.0-rc2", "2.0.0-rc10", True), ("latest", "1.0", True), ("same", "same", False), ("1.0+b1", "1.0+b2", False)],
)  # fmt: skip
def test_versions_are_compared_as_people_mean_them(version, wanted, older):
    assert is_older(version, wanted) is older


@pytest.mark.django_db(transaction=True)
def test_entering_the_same_name_at_once_makes_one_entry(tenant, devops):
    content = {"name": "ledger", "owner": "a", "version": "1"}
    outcomes = at_once(*[lambda: put_entry(tenant=tenant, content=content, by=devops) for _ in range(5)])
    assert len(winners(outcomes)) == 5
    assert CatalogEntry.objects.count() == 1
