"""The board and the list: who sees what, filters as addresses, counts, paging, and a fixed number of queries."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.tickets.conftest import expire
from tickets.models import Ticket, Worker
from tickets.selectors import TicketFilter, board, list_by_state, page_tickets
from tickets.services import close_ticket, ensure_project, fail_task, move_ticket
from tickets.types import Priority


def shown(response) -> set[str]:
    if response.context.get("columns") is not None:
        return {card.ticket.key for _, cards in response.context["columns"] for card in cards}
    return {card.ticket.key for card in response.context["cards"]}


def test_people_see_the_tickets_of_their_tenants(
    browse, ticket, make_ticket, devops, cpi, cpi_admin, viewer, outsider, worker, other_tenant
):
    make_ticket("SHOP-1", by=outsider, in_project=ensure_project(key="shop", by=outsider, tenant=other_tenant))
    mine, foreign = {"TICKET-001"}, {"SHOP-1"}
    expected = {devops: mine, cpi: mine, viewer: mine, worker: mine, cpi_admin: mine | foreign, outsider: foreign}
    for user, keys in expected.items():
        for address in ("/tickets/", "/tickets/?view=list"):
            assert (user.email, shown(browse(user).get(address))) == (user.email, keys)


def test_filters_come_from_the_address(browse, make_ticket, devops, cpi, tenant):
    make_ticket("PAY-1", labels=("refunds",), priority=Priority.URGENT, title="Refunds by parcel", type="bug")
    make_ticket("PAY-2", title="Ledger", assignees=(devops.email,))
    other = ensure_project(key="other/project", by=devops, tenant=tenant)
    closed = make_ticket("PAY-3", title="Receipts", in_project=other)
    close_ticket(ticket=closed, by=devops)
    client = browse(devops)
    for address, keys in {
        "": {"PAY-1", "PAY-2"},
        "?q=refunds": {"PAY-1"},
        "?q=pay-2": {"PAY-2"},
        "?label=refunds": {"PAY-1"},
        "?priority=urgent": {"PAY-1"},
        "?priority=nonsense": {"PAY-1", "PAY-2"},
        "?type=bug": {"PAY-1"},
        "?assignee=me": {"PAY-2"},
        f"?assignee={devops.email.upper()}": {"PAY-2"},
        "?project=other/project": set(),
        "?project=other/project&view=list": {"PAY-3"},
        "?state=completed": {"PAY-3"},
        "?state=open&view=list": {"PAY-1", "PAY-2"},
        "?state=nonsense": {"PAY-1", "PAY-2"},
        "?view=list": {"PAY-1", "PAY-2", "PAY-3"},
        "?q=%00%27%29%3B--": set(),
    }.items():
        assert (address, shown(client.get("/tickets/" + address))) == (address, keys)


@pytest.mark.parametrize("address", ["/tickets/", "/tickets/?view=list", "/tickets/?q=number", "/tickets/?assignee=me"])
@pytest.mark.parametrize("person", ["devops", "cpi_admin"])
def test_pages_make_at_most_eight_queries_at_any_size(address, person, request, browse, make_many):
    client = browse(request.getfixturevalue(person))
    client.get(address)
    measured = []
    for count in (1, 50, 1000):
        Ticket.objects.all().delete()
        make_many(count)
        with CaptureQueriesContext(connection) as queries:
            response = client.get(address)
        assert response.status_code == 200
        measured.append(len(queries))
    assert max(measured) <= 8, measured


def test_paging_reaches_every_ticket_once(browse, make_many, cpi):
    make_many(130)
    client, seen, address = browse(cpi), [], "/tickets/?view=list"
    while address:
        response = client.get(address)
        seen += [card.ticket.key for card in response.context["cards"]]
        following = response.context["next"]
        address = f"/tickets/?view=list&before={following}" if following else ""
    assert len(seen) == len(set(seen)) == 130


def test_a_long_column_shows_its_newest_and_leads_to_the_list(browse, make_many, cpi):
    make_many(1005)
    page = browse(cpi).get("/tickets/").content.decode()
    assert "1000+" in page
    assert "MANY-1004" in page
    assert ">MANY-3<" not in page
    assert "?view=list&amp;state=open" in page


def test_a_card_may_go_only_where_the_rules_and_the_role_allow(browse, ticket, devops, cpi, viewer, make_ticket):
    gated = make_ticket("TICKET-002", "?sign-off")
    for one in (ticket, gated):
        move_ticket(ticket=one, verb="request_approval", by=devops)

    def targets(user) -> dict[str, str]:
        columns = browse(user).get("/tickets/").context["columns"]
        return {card.ticket.key: card.targets for _, cards in columns for card in cards}

    assert targets(cpi) == {"TICKET-001": "approved:approve declined:decline", "TICKET-002": ""}
    assert targets(devops) == targets(viewer) == {"TICKET-001": "", "TICKET-002": ""}


def test_empty_boards_say_what_to_do_next(browse, devops, viewer, project):
    assert "New ticket" in browse(devops).get("/tickets/").content.decode()
    assert "/tickets/new/" not in browse(viewer).get("/tickets/").content.decode()
    assert "Clear the filters" in browse(devops).get("/tickets/?q=nothing").content.decode()


def test_a_part_is_only_for_htmx_and_strangers_are_asked_to_sign_in(browse, client, ticket, cpi):
    part = browse(cpi).get("/tickets/?part=tickets", headers={"HX-Request": "true"}).content.decode()
    assert "TICKET-001" in part
    assert "<html" not in part
    assert "<html" in browse(cpi).get("/tickets/?part=tickets").content.decode()
    for address in ("/tickets/", "/tickets/TICKET-001/", "/tickets/new/", "/workers/", "/tickets/bulk/"):
        assert client.get(address).status_code == 302


def test_bulk_changes_each_as_it_was_shown_and_tells_of_each(browse, make_ticket, devops, viewer):
    first, second = make_ticket("PAY-1"), make_ticket("PAY-2")
    client = browse(devops)
    page = client.get("/tickets/bulk/?ticket=tenant-finance/PAY-1&ticket=tenant-finance/PAY-2&ticket=x/NOPE")
    assert [ticket.key for ticket in page.context["tickets"]] == ["PAY-1", "PAY-2"]
    assert page.context["missing"] == ["NOPE"]
    move_ticket(ticket=second, verb="start", by=devops)
    ticked = ["tenant-finance/PAY-1@1", "tenant-finance/PAY-2@1", "tenant-retail/PAY-1@1"]
    nothing = client.post("/tickets/bulk/", {"ticket": ticked, "change": "", "comment": "why not"})
    assert nothing.status_code == 422
    assert "why not" in nothing.content.decode()
    done = client.post("/tickets/bulk/", {"ticket": ticked, "change": "stop", "comment": "Not this year"})
    assert [bool(outcome.refused) for outcome in done.context["outcomes"]] == [False, True, True]
    assert Ticket.objects.get(pk=first.pk).state == "stopped"
    assert Ticket.objects.get(pk=second.pk).state == "in_progress"
    refused = browse(viewer).post("/tickets/bulk/", {"ticket": ["tenant-finance/PAY-2@2"], "change": "stop"})
    assert "may not" in refused.context["outcomes"][0].refused
    assert Ticket.objects.get(pk=second.pk).state == "in_progress"


def test_what_ran_out_of_attempts_shows_on_the_board_and_beside_the_workers(browse, claimed, worker, viewer, outsider):
    assert "out of attempts" not in browse(viewer).get("/tickets/").content.decode()
    fail_task(task=claimed, fence=claimed.fence, by=worker, error="The bank refuses", retry=False)
    for address in ("/tickets/", "/tickets/?view=list"):
        assert "out of attempts" in browse(viewer).get(address).content.decode()
    assert "architect: The bank refuses" in browse(viewer).get("/workers/").content.decode()
    assert "The bank refuses" not in browse(outsider).get("/workers/").content.decode()


def test_closed_ones_are_both_kinds_and_nothing_else(browse, make_ticket, devops):
    for number, resolution in enumerate(("completed", "stopped", "")):
        made = make_ticket(f"PAY-{number}")
        if resolution:
            close_ticket(ticket=made, by=devops, resolution=resolution)
    assert shown(browse(devops).get("/tickets/?state=closed")) == {"PAY-0", "PAY-1"}


@pytest.mark.parametrize("rare", [5000, 60, 0])
def test_what_is_found_is_the_same_whether_it_is_little_or_much(make_many, devops, rare):
    """Little is read at once; of much only the newest are looked at, and counting stops early."""
    make_many(130, priority=Priority.HIGH)
    Ticket.objects.filter(key__in=["MANY-3", "MANY-70"]).update(state="in_progress")
    Ticket.objects.filter(key="MANY-5").update(title="Something else", labels=["odd"])
    for narrowed, number in (
        (TicketFilter(q="number"), 129),
        (TicketFilter(q="many-"), 130),
        (TicketFilter(priority=Priority.HIGH), 130),
        (TicketFilter(assignee=devops.email.upper()), 40),
        (TicketFilter(assigned_to=devops.pk), 40),
        (TicketFilter(label="odd"), 1),
    ):
        seen: list[int] = []
        before, listed, before_too = None, [], None
        while True:
            page = list_by_state(user=devops, narrowed=narrowed, before=before, rare=rare)
            seen += [ticket.pk for ticket in page.tickets]
            assert sum(page.counts.values()) == number or page.counts["open"] == page.limit + 1 == 51
            some, before_too = page_tickets(user=devops, narrowed=narrowed, before=before_too, rare=rare)
            listed += [ticket.pk for ticket in some]
            before = page.following
            if before is None:
                break
        assert seen == listed == sorted(set(seen), reverse=True)
        assert len(seen) == number
        columns = {column.state: column for column in board(user=devops, narrowed=narrowed, rare=rare)}
        if number > 100:
            assert (columns["in_progress"].count_text, len(columns["in_progress"].tickets)) == ("2", 2)
            assert columns["open"].count_text in {str(number - 2), "30+"}
            assert len(columns["open"].tickets) == 30


def test_the_second_page_leads_back_to_the_newest(browse, make_many, cpi):
    make_many(60)
    first = browse(cpi).get("/tickets/?view=list")
    assert "Newest" not in first.content.decode()
    second = browse(cpi).get(f"/tickets/?view=list&before={first.context['next']}").content.decode()
    assert "Newest" in second
    assert "Older" not in second


def test_bulk_takes_fifty_as_they_were_shown_and_no_decisions(browse, make_many, cpi):
    make_many(52)
    ticked = [f"tenant-finance/MANY-{number}@1" for number in range(51)]
    done = browse(cpi).post("/tickets/bulk/", {"ticket": ticked, "change": "start"})
    assert len(done.context["outcomes"]) == 50
    assert Ticket.objects.get(key="MANY-50").state == "open"
    for version in ("", "x", "99999999999"):
        refused = browse(cpi).post("/tickets/bulk/", {"ticket": f"tenant-finance/MANY-51@{version}", "change": "start"})
        assert refused.context["outcomes"][0].code == "version_conflict"
        assert 'data-refused="version_conflict"' in refused.content.decode()
    assert browse(cpi).post("/tickets/bulk/", {"ticket": ticked[0], "change": "approve"}).status_code == 422


def test_workers_and_what_they_hold(browse, claimed, make_worker, viewer, outsider):
    make_worker("tester", "tester-1")
    page = browse(viewer).get("/workers/").content.decode()
    assert "architect-1" in page
    assert "TICKET-001" in page
    assert "tester-1" not in browse(viewer).get("/workers/?status=active").content.decode()
    assert "architect-1" not in browse(outsider).get("/workers/").content.decode()


def test_the_menu_of_assignees_names_people_of_ones_own_tenants(browse, ticket, devops, other_devops, viewer, outsider):
    page = browse(viewer).get("/tickets/").content.decode()
    assert f'<option value="{other_devops.email}">Other Devops</option>' in page
    assert outsider.email not in page
    chosen = browse(viewer).get(f"/tickets/?assignee={devops.email}").content.decode()
    assert f'<option value="{devops.email}" selected>Devops</option>' in chosen
    stranger = browse(viewer).get("/tickets/?assignee=nobody@example.com").content.decode()
    assert '<option value="nobody@example.com" selected>' in stranger


def test_a_day_that_is_over_shows_until_the_work_is_done(browse, make_ticket, devops):
    late = make_ticket("LATE-1", due_date=dt.date(2020, 1, 2))
    make_ticket("SOON-1", due_date=dt.date(2999, 1, 2))
    page = browse(devops).get("/tickets/").content.decode()
    assert "overdue, 2 Jan 2020" in page
    assert "due 2 Jan 2999" in page
    assert "overdue" in browse(devops).get("/tickets/LATE-1/").content.decode()
    close_ticket(ticket=late, by=devops)
    assert "overdue" not in browse(devops).get("/tickets/LATE-1/").content.decode()


STOP = "/workers/tenant-finance/architect-1/stop/"


def test_a_worker_is_stopped_by_its_owner_and_by_coordinators(browse, claimed, viewer, outsider, devops, worker):
    address = 'href="/workers/tenant-finance/architect-1/stop/"'
    assert address in browse(devops).get("/workers/").content.decode()
    assert address in browse(worker).get("/workers/").content.decode()
    assert address not in browse(viewer).get("/workers/").content.decode()
    asked = browse(devops).get(STOP).content.decode()
    assert "TICKET-001" in asked
    assert "which is queued again" in asked
    assert "<button" not in browse(viewer).get(STOP).content.decode().partition("page__lead")[2].partition("</main>")[0]
    assert browse(viewer).post(STOP, {"comment": ""}).status_code == 422
    assert browse(outsider).post(STOP).status_code == browse(outsider).get(STOP).status_code == 404
    claimed.refresh_from_db()
    assert claimed.state == "claimed"
    answer = browse(devops).post(STOP, {"comment": "It went astray"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/workers/")
    claimed.refresh_from_db()
    stopped = Worker.objects.get()
    assert (claimed.state, stopped.status, stopped.stop_reason) == ("queued", "stopped", "It went astray")
    assert "It is stopped already" in browse(devops).get(STOP).content.decode()
    assert address not in browse(devops).get("/workers/").content.decode()


def test_only_a_lease_that_runs_shows_as_held_and_every_status_narrows(browse, claimed, make_worker, viewer):
    make_worker("tester", "tester-1")

    def shown(query: str = "") -> dict[str, bool]:
        rows = browse(viewer).get(f"/workers/{query}").context["rows"]
        return {worker.worker_id: task is not None for worker, task, _ in rows}

    assert shown() == {"architect-1": True, "tester-1": False}
    assert shown("?status=active") == {"architect-1": True}
    assert shown("?status=idle") == {"tester-1": False}
    assert shown("?status=stopped") == {}
    expire(claimed)
    assert shown()["architect-1"] is False
