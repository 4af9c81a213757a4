"""Locks are seen, taken and released; the catalogue is found and read."""

from __future__ import annotations

import pytest

from events.models import CatalogEntry, Lock
from events.tracker.catalog import put_entry
from events.tracker.locks import acquire_lock
from tests.events.tracker.pages.conftest import queries_of


@pytest.fixture
def lock(tenant, devops) -> Lock:
    return acquire_lock(tenant=tenant, content={"service": "ledger", "environment": "production"}, by=devops)


@pytest.fixture
def entry(tenant, devops) -> CatalogEntry:
    put_entry(tenant=tenant, content={"name": "http-kit", "owner": "platform", "version": "3.2.0"}, by=devops)
    CatalogEntry.objects.filter(name="http-kit").update(latest_version="3.2.0")
    return put_entry(
        tenant=tenant,
        content={
            "name": "ledger", "type": 4, "owner": "accounting", "version": "1.8.1", "dependencies_out": ["vault"],
            "used_deliverables": [{"name": "http-kit", "type": "library", "versionUsed": "3.1.0"}],
            "dashboard_links": [{"name": "Evil", "url": "javascript:alert(1)"}, {"name": "Board", "url": "https://x.test"}],
        },
        by=devops,
    )  # fmt: skip


def test_people_see_the_locks_of_their_tenants(browse, lock, viewer, outsider):
    page = browse(viewer).get("/events/locks/")
    assert "ledger" in page.content.decode()
    assert page.context["form"] is None
    assert f"/events/locks/{lock.pk}/release/" not in page.content.decode()
    assert "Nothing is locked" in browse(outsider).get("/events/locks/").content.decode()
    assert browse(viewer).get(f"/events/locks/{lock.pk}/release/").status_code == 403
    assert browse(outsider).get(f"/events/locks/{lock.pk}/release/").status_code == 404


def test_a_service_is_locked_and_released(browse, devops, tenant):
    client = browse(devops)
    sent = {"tenant": "tenant-finance", "service": "vault", "environment": "UAT", "expires_at": "2999-01-01T00:00"}
    assert client.post("/events/locks/", sent).status_code == 303
    lock = Lock.objects.get()
    assert (lock.service, lock.who, lock.expires_at.year) == ("vault", devops.email, 2999)
    refused = client.post("/events/locks/", sent)
    assert refused.status_code == 422
    assert "already locked" in refused.content.decode()
    for fault in ({"service": ""}, {"expires_at": "2020-01-01T00:00"}, {"expires_at": "soon"}, {"tenant": "tenant-x"}):
        response = client.post("/events/locks/", sent | {"environment": "other"} | fault)
        assert next(iter(fault)) in response.context["form"].errors
    assert client.get(f"/events/locks/{lock.pk}/release/").status_code == 200
    assert Lock.objects.exists()
    assert client.post(f"/events/locks/{lock.pk}/release/").status_code == 303
    assert not Lock.objects.exists()


def test_the_catalogue_is_searched_and_paged_by_name(browse, entry, viewer, outsider, tenant, monkeypatch):
    def names(user, query: str = "") -> list[str]:
        return [one.name for one, _ in browse(user).get("/events/catalog/" + query).context["entries"]]

    assert names(viewer) == ["http-kit", "ledger"]
    assert names(viewer, "?q=ACCOUNT") == ["ledger"]
    assert names(viewer, "?type=project") == ["ledger"]
    assert names(viewer, "?after=http-kit") == ["ledger"]
    assert names(outsider) == []
    from events.tracker.pages import side_views

    monkeypatch.setattr(side_views, "MOST_ENTRIES", 1)
    assert browse(viewer).get("/events/catalog/").context["next"] == "http-kit"


def test_an_entry_tells_what_it_uses_and_links_nowhere_bad(browse, entry, make_event, viewer, outsider):
    event = make_event("Deploy ledger 1.8.1")
    response = browse(viewer).get("/events/catalog/ledger/")
    page = response.content.decode()
    assert "Outdated" in page
    assert f"/events/{event.pk}/" in page
    assert "https://x.test" in page
    assert "javascript:alert" not in page
    assert browse(outsider).get("/events/catalog/ledger/").status_code == 404
    assert browse(viewer).get("/events/catalog/ledger/?tenant=tenant-retail").status_code == 404


@pytest.mark.parametrize("address", ["/events/locks/", "/events/catalog/", "/events/catalog/ledger/", "/events/new/"])
@pytest.mark.parametrize("person", ["devops", "cpi_admin"])
def test_side_pages_make_at_most_eight_queries(address, person, request, browse, entry, lock, tenant):
    client = browse(request.getfixturevalue(person))
    client.get(address)
    Lock.objects.bulk_create(Lock(tenant=tenant, service=f"s-{number}", who="x") for number in range(300))
    CatalogEntry.objects.bulk_create(
        CatalogEntry(tenant=tenant, name=f"n-{number}", owner="x", version="1") for number in range(300)
    )
    assert queries_of(client, address) <= 8
