"""The list of requests: who sees what, filters as addresses, counts, paging, and a fixed number of queries."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from promotions.models import RunningVersion
from promotions.services import approve_request, reject_request


def shown(response) -> set[str]:
    return {card.promotion.number for card in response.context["cards"]}


def counts(response) -> dict[str, str]:
    return {tab["label"]: tab["count"] for tab in response.context["tabs"]}


def test_people_see_what_their_role_says_counts_included(
    browse, make_request, devops, other_devops, cpi, cpi_admin, viewer, outsider, worker, other_tenant
):
    mine = make_request(by=devops)
    theirs = make_request(by=other_devops, target_name="ledger")
    foreign = make_request(by=outsider, in_tenant=other_tenant, target_name="shop")
    everyone = {mine.number, theirs.number, foreign.number}
    expected = {
        devops: {mine.number},
        other_devops: {theirs.number},
        cpi: {mine.number, theirs.number},
        viewer: {mine.number, theirs.number},
        cpi_admin: everyone,
        outsider: {foreign.number},
        worker: set(),
    }
    for user, numbers in expected.items():
        response = browse(user).get("/requests/")
        assert (user.email, shown(response)) == (user.email, numbers)
        assert counts(response)["All"] == str(len(numbers))


def test_filters_come_from_the_address(browse, make_request, devops, cpi, target):
    pending = make_request(target_name="payment-api")
    rejected = make_request(target_name="ledger", version="7.7.7")
    reject_request(promotion=rejected, by=cpi, reason="Not in this month please")
    own = make_request(by=cpi, target_name="rates-2")
    client = browse(cpi)
    for address, numbers in {
        "?state=pending": {pending.number, own.number},
        "?state=rejected": {rejected.number},
        "?state=nonsense": {pending.number, rejected.number, own.number},
        "?requester=me": {own.number},
        f"?requester={devops.email.upper()}": {pending.number, rejected.number},
        "?q=ledg": {rejected.number},
        "?q=7.7.7": {rejected.number},
        "?q=payment-api": {pending.number},
        f"?q={own.number.lower()}": {own.number},
        "?q=rates-2": {own.number},
        "?q=rates-": {own.number},
        f"?q={own.number[:7]}": {pending.number, rejected.number, own.number},
        "?q=%27%29%3B--": set(),
        "?q=%27%5C%20%21%26%7C%28rates": {own.number},
        "?q=PCI+compl&state=rejected": {rejected.number},
        "?tenant=tenant-retail": set(),
    }.items():
        assert (address, shown(client.get("/requests/" + address))) == (address, numbers)


def test_only_deciders_are_offered_approve_and_only_low_impact_can_be_ticked(browse, make_request, devops, cpi):
    low, high = make_request(), make_request(target_name="ledger", impact="high")
    own = make_request(by=cpi, target_name="rates")
    page = browse(cpi).get("/requests/").content.decode()
    assert f"/requests/{low.number}/approve/" in page
    assert f"/requests/{high.number}/approve/" in page
    assert f"/requests/{own.number}/approve/" not in page
    assert f'value="{low.number}"' in page
    assert f'value="{high.number}"' not in page
    assert "/approve/" not in browse(devops).get("/requests/?view=table").content.decode().replace(
        'action="/requests/approve/"', ""
    )


@pytest.mark.parametrize(
    "address",
    [
        "/requests/",
        "/requests/?tenant=tenant-finance&state=pending",
        "/requests/?view=table",
        "/requests/?q=service",
        "/",
    ],
)
@pytest.mark.parametrize("person", ["cpi", "cpi_admin", "devops"])
def test_pages_make_at_most_eight_queries_at_any_size(address, person, request, browse, make_many):
    client = browse(request.getfixturevalue(person))
    client.get(address)
    measured = []
    for count in (1, 50, 1000):
        from promotions.models import PromotionRequest

        PromotionRequest.objects.all().delete()
        make_many(count)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = client.get(address)
        assert response.status_code == 200
        measured.append(len(queries))
    assert max(measured) <= 8, measured


def test_paging_reaches_every_request_once(browse, make_many, cpi):
    make_many(130)
    client, seen, address = browse(cpi), [], "/requests/?view=table"
    while address:
        response = client.get(address)
        seen += [card.promotion.number for card in response.context["cards"]]
        following = response.context["page"].next
        address = f"/requests/?view=table&before={following}" if following else ""
    assert len(seen) == len(set(seen)) == 130


def test_counts_stop_at_a_thousand(browse, make_many, cpi):
    make_many(1005)
    assert counts(browse(cpi).get("/requests/"))["Pending"] == "1000+"


def test_empty_lists_say_what_to_do_next(browse, devops, viewer):
    assert "New request" in browse(devops).get("/requests/").content.decode()
    assert "/requests/new/" not in browse(viewer).get("/requests/").content.decode()
    assert "Clear the filters" in browse(devops).get("/requests/?q=nothing").content.decode()


def test_a_part_is_only_for_htmx(browse, pending, cpi):
    client = browse(cpi)
    part = client.get("/requests/?part=list", headers={"HX-Request": "true"}).content.decode()
    assert pending.number in part
    assert "<html" not in part
    assert "<html" in client.get("/requests/?part=list").content.decode()


def test_strangers_are_asked_to_sign_in_and_htmx_is_told(client, pending):
    assert client.get("/requests/").status_code == 302
    response = client.get("/requests/?part=list", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Trigger"]) == (204, "stagepass:signed-out")


def test_overview_shows_what_waits_oldest_first_and_never_my_own(browse, make_request, cpi, devops, target):
    first, second = make_request(), make_request(target_name="ledger")
    make_request(by=cpi, target_name="rates")
    done = make_request(target_name="done")
    approve_request(promotion=done, by=cpi)
    context = browse(cpi).get("/").context
    assert [card.promotion.number for card in context["waiting"]] == [first.number, second.number]
    assert [promotion.target_name for promotion in context["mine"]] == ["rates"]
    assert browse(devops).get("/").context["waiting"] == []


def test_a_service_with_a_request_under_way_leads_to_it_instead_of_asking_again(
    browse, make_request, devops, other_devops, cpi, tenant, target
):
    for version, environment in (("2.1.0", "staging"), ("2.0.0", "prod")):
        RunningVersion.objects.create(
            tenant=tenant, environment=environment, target_type="api", target_name="payment-api", version=version
        )
    assert 'href="/requests/new/?' in browse(devops).get("/").content.decode()
    promotion = make_request(by=devops)

    def asked(user) -> list[str]:
        return [service.request for service in browse(user).get("/").context["services"]]

    assert asked(devops) == asked(cpi) == [promotion.number]
    assert asked(other_devops) == [""], "a request that may not be seen is not named"
    assert 'href="/requests/new/?' not in browse(devops).get("/").content.decode()
    assert browse(devops).get("/requests/new/").context["candidates"] == []
    reject_request(promotion=promotion, by=cpi, reason="Not before the release notes are complete.")
    assert asked(devops) == [""]
