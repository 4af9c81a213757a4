"""Who gets what where: every role, every address of the API, every kind of object, as access_matrix.md says."""

from __future__ import annotations

import pytest

from accounts.scopes import SCOPES
from promotions.models import PromotionRequest
from promotions.states import State
from tests.api import REQUESTS, call_as
from tests.contracts import access_chain, access_tickets
from tests.contracts.access import CALLS, House, Row, addresses, build_house, outcome, place, read_table, read_untried


@pytest.fixture
def house(db) -> House:
    return build_house()


@pytest.mark.timeout(600)
def test_every_cell(house):
    wrong = [
        f"{row.call} on {row.object}: {role} gets {got}, the table says {expected}"
        for row in read_table()
        for role, expected in row.expected.items()
        if (got := outcome(house, role, row)) != expected
    ]
    assert not wrong, "\n".join(wrong)


def test_every_address_has_its_rows():
    in_table, untried = {row.call for row in read_table()}, read_untried()
    assert in_table | untried == set(addresses()), "add the new address to access_matrix.md and to CALLS in access.py"
    assert not in_table & untried
    assert in_table == set(CALLS)


def test_each_call_needs_exactly_its_scope(house):
    """A token with every scope but this one is refused; one with nothing else is not."""
    for call, scope in {row.call: row.scope for row in read_table() if row.scope not in {"-", "any"}}.items():
        for scopes, expected in (([scope], False), ([name for name in SCOPES if name != scope], True)):
            house.callers["cpi"] = call_as(house.users["cpi"], scopes)
            got = outcome(house, "cpi", Row(call, "missing", scope, {}))
            assert (got == "403 scope") == expected, f"{call} with {scopes}: {got}"


def test_every_object_is_tried_where_there_is_one():
    tried: dict[str, set[str]] = {}
    for row in read_table():
        tried.setdefault(row.call, set()).add(row.object)
    for call, objects in tried.items():
        oneself = "/v1/me/" in call  # what a person mutes is the person's own affair, whether it exists or not
        takes_one = ("{" in call and not oneself) or call in {
            f"POST {REQUESTS}",
            *access_tickets.ABOUT_ONE,
            *access_chain.ABOUT_ONE,
        }
        expected = {"own", "missing", "finance"} if "token}" in call else {"own", "finance", "retail", "missing"}
        assert objects == (expected if takes_one else {"-"}), call


@pytest.mark.timeout(600)
def test_lists_counts_and_search_show_exactly_what_may_be_read(house):
    """What cannot be opened is in no list, no count, no filter and no search result either."""
    for author_role in ("devops", "cpi", "outsider", "viewer", "worker", "superuser", "cpi_admin"):
        for state in (State.PENDING, State.DEPLOYED):
            place(house, house.users[author_role], house.home_of(author_role), state)
    for tenant in (house.finance, house.retail):
        for state in (State.PENDING, State.APPROVED, State.DEPLOYED, State.WITHDRAWN):
            place(house, house.colleagues[tenant.slug], tenant, state)
    PromotionRequest.objects.filter(state="deployed").update(deployed_at="2024-01-01T00:00:00Z")
    everything = list(PromotionRequest.objects.order_by("-id").values_list("number", flat=True))
    for role in ("viewer", "devops", "cpi", "cpi_elsewhere", "cpi_admin", "outsider", "worker", "superuser"):
        caller, user = house.callers[role], house.users[role]
        readable = [n for n in everything if caller.get(f"{REQUESTS}/{n}").status_code == 200]
        pending = [n for n in readable if PromotionRequest.objects.get(number=n).state == "pending"]
        assert caller.ids(f"{REQUESTS}?limit=1000") == readable, role
        assert (
            caller.ids(f"{REQUESTS}?limit=1000&q=service") == caller.ids(f"{REQUESTS}?limit=1000&q=payment") == readable
        )
        assert caller.ids(f"{REQUESTS}?state=pending") == pending
        assert caller.get(f"{REQUESTS}/stats").json()["pending"] == len(pending)
        by_tenant = [
            n for name in ("finance", "retail") for n in caller.ids(f"{REQUESTS}?limit=1000&tenant=tenant-{name}")
        ]
        assert sorted(by_tenant) == sorted(readable)
        authors = ["colleague@tenant-finance.example.com", "colleague@tenant-retail.example.com"]
        authors += [f"{name}@example.com" for name in house.users if name in house.callers and name != "no_scope"]
        by_author = [
            n for email in dict.fromkeys(authors) for n in caller.ids(f"{REQUESTS}?limit=1000&createdBy={email}")
        ]
        assert sorted(by_author) == sorted(readable)
        assert caller.ids(f"{REQUESTS}/my") == [
            n for n in readable if PromotionRequest.objects.get(number=n).author_id == user.pk
        ]
        for number in caller.ids(f"{REQUESTS}/pending"):
            assert number in pending, "pending for me is among what I may read"
