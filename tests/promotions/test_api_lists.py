"""Lists, pages, filters and counts of the REST face."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine

from accounts.models import Tenant
from accounts.roles import Role
from accounts.services import grant_role, withdraw_role
from promotions.services import approve_request
from tests.api import REQUESTS, Caller, call_as
from tests.promotions.test_api_surface import run


class TestLists:
    @pytest.fixture
    def several(self, make_request, devops, other_devops, cpi, outsider, tenant, other_tenant, target):
        """Requests by name: who made them, where, in which state."""
        made = {
            "pay": make_request(target_name="payment-api", justification="Customers wait for the zebra crossing flow"),
            "ledger": make_request(by=other_devops, target_name="ledger", target_type="application"),
            "mine": make_request(by=cpi, target_name="limits", target_type="policy"),
            "retail": make_request(by=outsider, in_tenant=other_tenant, target_name="catalog-api"),
        }
        approve_request(promotion=made["ledger"], by=cpi)
        return {name: promotion.number for name, promotion in made.items()}

    def test_newest_first_and_only_what_one_may_see(self, several, devops, other_devops, cpi, viewer, outsider, worker):
        assert call_as(devops).ids() == [several["pay"]]
        assert call_as(other_devops).ids() == [several["ledger"]]
        assert call_as(cpi).ids() == call_as(viewer).ids() == [several["mine"], several["ledger"], several["pay"]]
        assert call_as(outsider).ids() == [several["retail"]]
        assert call_as(worker).ids() == []

    def test_everything_for_admins(self, several, cpi_admin, root):
        newest_first = [several["retail"], several["mine"], several["ledger"], several["pay"]]
        assert call_as(cpi_admin).ids() == call_as(root).ids() == newest_first

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("state=pending", ["mine", "pay"]),
            ("state=approved", ["ledger"]),
            ("state=approved,pending", ["mine", "ledger", "pay"]),
            ("state=approved&state=pending", ["mine", "ledger", "pay"]),
            ("state=deployed", []),
            ("tenant=tenant-finance", ["mine", "ledger", "pay"]),
            ("tenant=tenant-retail", []),
            ("tenant=nowhere", []),
            ("tenant=nowhere,tenant-finance&state=approved", ["ledger"]),
            ("createdBy=devops@example.com", ["pay"]),
            ("createdBy=DevOps@Example.COM", ["pay"]),
            ("createdBy=outsider@example.com", []),
            ("createdBy=nobody@example.com", []),
            ("createdBy=cpi@example.com&state=approved", []),
            ("q=zebra", ["pay"]),
            ("q=payment-api", ["pay"]),
            ("q=payment", ["mine", "ledger", "pay"]),
            ("q=catalog-api", []),
            ("q=LEDGER", ["ledger"]),
            ("q=ledger or zebra", ["ledger", "pay"]),
            ("q=3DS2 -zebra", ["mine", "ledger"]),
            ('q="zebra crossing"', ["pay"]),
            ("q=' OR 1=1 --", []),
            ("q=%26 | ! (", []),
            ("state=pending&tenant=tenant-finance&createdBy=devops@example.com&q=zebra", ["pay"]),
        ],
    )
    def test_filters(self, several, cpi, query, found):
        for path in (REQUESTS, f"{REQUESTS}/"):
            assert call_as(cpi).ids(f"{path}?{query}") == [several[name] for name in found]

    def test_search_by_number(self, several, cpi):
        assert call_as(cpi).ids(f"{REQUESTS}?q={several['ledger']}") == [several["ledger"]]

    def test_my_and_pending_for_me(self, several, devops, cpi, other_cpi, cpi_admin, viewer):
        assert call_as(cpi).ids(f"{REQUESTS}/my") == [several["mine"]]
        assert call_as(cpi).ids(f"{REQUESTS}/pending") == [several["pay"]], "never one's own"
        assert call_as(other_cpi).ids(f"{REQUESTS}/pending") == [several["mine"], several["pay"]]
        assert call_as(cpi_admin).ids(f"{REQUESTS}/pending") == [several["retail"], several["mine"], several["pay"]]
        assert call_as(cpi_admin).ids(f"{REQUESTS}/pending?tenant=tenant-retail") == [several["retail"]]
        assert call_as(other_cpi).ids(f"{REQUESTS}/pending?state=approved") == []
        assert call_as(other_cpi).ids(f"{REQUESTS}/pending?q=zebra") == [several["pay"]]
        assert call_as(devops).ids(f"{REQUESTS}/pending") == call_as(viewer).ids(f"{REQUESTS}/pending") == []

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_pages_together_are_the_list(self, make_request, cpi, cpi_admin, devops, limit):
        numbers = [make_request(target_name=f"api-{n}").number for n in range(7)][::-1]
        for caller, path in (
            (call_as(cpi), REQUESTS), (call_as(cpi_admin), REQUESTS), (call_as(devops), f"{REQUESTS}/my"),
            (call_as(cpi), f"{REQUESTS}/pending"), (call_as(cpi), f"{REQUESTS}?state=pending&q=api"),
        ):  # fmt: skip
            assert list(walk(caller, f"{path}{'&' if '?' in path else '?'}limit={limit}")) == numbers

    def test_a_page_is_not_moved_by_newer_requests(self, make_request, cpi):
        numbers = [make_request(target_name=f"api-{n}").number for n in range(4)]
        caller = call_as(cpi)
        first = caller.get(f"{REQUESTS}?limit=2")
        make_request(target_name="newer")
        assert caller.ids(next_of(first)) == [numbers[1], numbers[0]]
        assert "Link" not in caller.get(next_of(first)).headers

    def test_one_may_hold_different_roles_in_different_tenants(self, several, outsider, tenant, make_request):
        grant_role(user=outsider, tenant=tenant, role=Role.VIEWER)
        newest_first = [several["retail"], several["mine"], several["ledger"], several["pay"]]
        assert call_as(outsider).ids() == newest_first
        assert list(walk(call_as(outsider), f"{REQUESTS}?limit=1")) == newest_first
        assert call_as(outsider).ids(f"{REQUESTS}?tenant=tenant-retail") == [several["retail"]]

    def test_own_requests_end_with_the_role(self, several, devops, tenant, make_user):
        others = [Tenant.objects.create(slug=f"tenant-{n}") for n in range(3)]
        for other in others:
            grant_role(user=devops, tenant=other, role=Role.VIEWER)
        assert call_as(devops).ids() == call_as(devops).ids(f"{REQUESTS}/my") == [several["pay"]]
        withdraw_role(user=devops, tenant=tenant, role=Role.DEVOPS)
        for path in (
            "",
            "/my",
            "?state=pending",
            "?q=zebra",
            "?createdBy=devops@example.com",
            "?tenant=tenant-finance",
        ):
            assert call_as(devops).ids(f"{REQUESTS}{path}") == []
        assert call_as(devops).get(f"{REQUESTS}/stats").json()["pending"] == 0

    def test_old_requests_of_quiet_tenants_are_found_behind_many_newer_ones(
        self, make_request, outsider, tenant, cpi, make_user
    ):
        """The newest of all are looked at first; those of people who reach little lie far behind."""
        quiet = [Tenant.objects.create(slug=f"quiet-{n}") for n in range(3)]
        for place in quiet:
            grant_role(user=outsider, tenant=place, role=Role.CPI)
        old = [make_request(by=outsider, in_tenant=quiet[n % 3], target_name=f"old-{n}") for n in range(5)][::-1]
        newer = [make_request(target_name=f"new-{n}") for n in range(45)]
        assert len(newer) > 10 * (2 + 1)
        assert list(walk(call_as(outsider), f"{REQUESTS}?limit=2")) == [promotion.number for promotion in old]
        assert call_as(outsider).ids(f"{REQUESTS}/pending?limit=2") == []
        approver = make_user("approver")
        for place in quiet[:2]:
            grant_role(user=approver, tenant=place, role=Role.CPI)
        theirs = [promotion.number for promotion in old if promotion.tenant in quiet[:2]]
        assert list(walk(call_as(approver), f"{REQUESTS}/pending?limit=2")) == theirs


def next_of(answer) -> str:
    link = answer.headers["Link"]
    assert link.startswith("<http://testserver/")
    assert link.endswith('>; rel="next"')
    return link[1:].partition(">")[0].removeprefix("http://testserver")


def walk(caller: Caller, path: str):
    """The ids of all pages, following the links."""
    while True:
        answer = caller.get(path)
        assert answer.status_code == 200, answer.content
        yield from (document["metadata"]["id"] for document in answer.json())
        if "Link" not in answer.headers:
            return
        path = next_of(answer)


def test_stats_count_what_one_may_list(
    make_request, devops, other_devops, cpi, cpi_admin, outsider, other_tenant, target
):
    monday = dt.datetime(2030, 1, 7, 12, tzinfo=dt.UTC)
    with time_machine.travel(monday - dt.timedelta(days=1), tick=False):  # Sunday, the week before
        run(approve_request(promotion=make_request(target_name="old"), by=cpi), to="success")
    with time_machine.travel(monday.replace(hour=0), tick=False):
        run(approve_request(promotion=make_request(target_name="new"), by=cpi), to="success")
    with time_machine.travel(monday + dt.timedelta(days=1), tick=False):
        make_request(target_name="a")
        make_request(by=other_devops, target_name="b")
        make_request(by=outsider, in_tenant=other_tenant, target_name="c")
        approve_request(promotion=make_request(target_name="d"), by=cpi)
        call_as(cpi).post(f"{REQUESTS}/{make_request(target_name='e').number}/reject", {"reason": "Not this week"})

        def stats(user):
            return tuple(call_as(user).get(f"{REQUESTS}/stats").json().values())

        assert list(call_as(cpi).get(f"{REQUESTS}/stats").json()) == [
            "pending", "approvedToday", "rejectedToday", "deployedThisWeek",
        ]  # fmt: skip
        assert stats(cpi) == (2, 1, 1, 1)
        assert stats(cpi_admin) == (3, 1, 1, 1)
        assert stats(devops) == (1, 1, 1, 1)
        assert stats(other_devops) == (1, 0, 0, 0)
        assert stats(outsider) == (1, 0, 0, 0)
        for user in (cpi, cpi_admin, devops, other_devops, outsider):
            assert stats(user)[0] == len(call_as(user).ids(f"{REQUESTS}?state=pending"))
