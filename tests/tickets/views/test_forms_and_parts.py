"""What every page of tickets owes its forms and its live parts: a token, an address, and a place to come back to."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urljoin

import pytest

from tickets.models import Ticket
from tickets.services import add_dependency, ensure_project, link_ticket, queue_task

PAGES = (
    "/tickets/", "/tickets/?view=list", "/tickets/TICKET-001/", "/tickets/TICKET-001/start/", "/tickets/TICKET-001/edit/",
    "/tickets/new/", "/tickets/bulk/?ticket=tenant-finance/TICKET-001", "/workers/tenant-finance/architect-1/stop/",
)  # fmt: skip


@pytest.mark.parametrize("address", PAGES)
def test_every_form_that_changes_something_carries_a_token(address, browse, ticket, make_ticket, make_worker, devops):
    make_worker("architect")
    add_dependency(ticket=ticket, blocker=make_ticket("TICKET-002"), by=devops)
    link_ticket(ticket=ticket, url="https://git.example.com/1", by=devops)
    page = browse(devops).get(address).content.decode()
    forms = re.findall(r"<form\b[^>]*>.*?</form>", page, re.DOTALL)
    posts = [form for form in forms if 'method="post"' in form.partition(">")[0]]
    assert len(posts) > 1  # one of them signs out
    assert [form[:200] for form in posts if "csrfmiddlewaretoken" not in form] == []


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("/tickets/?q=implement&label=ui", "tickets"),
        ("/tickets/?view=list&state=open", "tickets"),
        ("/tickets/TICKET-001/", "ticket"),
        ("/workers/?status=idle", "workers"),
    ],
)
def test_a_live_part_fetches_itself_and_takes_its_own_place(address, place, browse, ticket, make_worker, devops):
    make_worker("architect")
    client = browse(devops)
    page = client.get(address).content.decode()
    part = re.search(rf'<div id="{place}"[^>]*>', page)[0]
    assert 'hx-swap="outerHTML"' in part
    there = urljoin(f"http://testserver{address}", unescape(re.search(r'hx-get="([^"]+)"', part)[1]))
    fetched = client.get(there, headers={"HX-Request": "true"}).content.decode().strip()
    assert fetched.startswith(f'<div id="{place}"')
    assert "</html" not in fetched
    assert "</html" in client.get(there).content.decode()


def test_a_refused_dialog_takes_the_place_of_its_own_form(browse, ticket, devops):
    client = browse(devops)
    page = client.get("/tickets/TICKET-001/").content.decode()
    form = re.search(r'<form[^>]*id="form-start"[^>]*>', page)[0]
    assert 'hx-post="/tickets/TICKET-001/start/"' in form
    assert 'hx-target="this"' in form
    assert 'hx-swap="outerHTML"' in form
    refused = client.post(
        "/tickets/TICKET-001/start/", {"start-version": "9"}, headers={"HX-Request": "true"}
    ).content.decode()
    assert refused.strip().startswith("<form")
    assert 'id="form-start"' in refused


def test_a_step_leads_back_to_the_page_it_was_taken_from(browse, ticket, devops):
    client = browse(devops)
    for place in ("/tickets/in/tenant-finance/TICKET-001/", "/tickets/TICKET-001/"):
        version = Ticket.objects.get().version
        verb = "start" if version == 1 else "stop"
        answer = client.post(f"{place}{verb}/", {f"{verb}-version": version})
        assert (answer.status_code, answer.headers["Location"]) == (303, place)


def test_the_filters_keep_what_was_chosen(browse, ticket, devops):
    page = browse(devops).get("/tickets/?q=implement&state=open&type=task&priority=medium").content.decode()
    form = re.search(r"<form[^>]*data-filters.*?</form>", page, re.DOTALL)[0]
    assert re.search(r'name="q" value="implement"', form)
    assert '<input type="hidden" name="state" value="open">' in form
    assert '<option value="task" selected>' in form
    assert '<option value="medium" selected>' in form


def test_menus_name_what_is_there_now_and_in_ones_own_tenants(
    browse, ticket, devops, other_devops, viewer, outsider, other_tenant, tenant
):
    ensure_project(key="shop/secret", by=outsider, tenant=other_tenant)
    ensure_project(key="finance/second", by=devops, tenant=tenant)
    assert other_devops.email in browse(viewer).get("/tickets/").content.decode()
    other_devops.is_active = False
    other_devops.save()
    page = browse(viewer).get("/tickets/").content.decode()
    assert "finance/second" in page
    assert "shop/secret" not in page
    assert other_devops.email not in page


def test_the_tab_of_an_empty_state_stays(browse, ticket, devops):
    tabs = browse(devops).get("/tickets/?view=list&state=testing").context["tabs"]
    assert [(tab["state"], tab["count"], tab["current"]) for tab in tabs] == [
        ("", "1", False), ("open", "1", False), ("testing", "0", True),
    ]  # fmt: skip


@pytest.mark.parametrize("address", ["/tickets/", "/tickets/?view=list"])
def test_only_who_may_change_a_ticket_can_tick_it(address, browse, ticket, devops, viewer):
    tick = 'value="tenant-finance/TICKET-001"'
    assert tick in browse(devops).get(address).content.decode()
    assert tick not in browse(viewer).get(address).content.decode()


def test_what_is_shown_is_what_a_change_is_bound_to(browse, ticket, devops):
    client = browse(devops)
    client.post("/tickets/TICKET-001/start/", {"start-version": "1"})
    assert 'data-version="2"' in client.get("/tickets/").content.decode()
    bulk = client.get("/tickets/bulk/?ticket=tenant-finance/TICKET-001").content.decode()
    assert 'value="tenant-finance/TICKET-001@2"' in bulk
    assert re.search(r'name="version"[^>]*value="2"', client.get("/tickets/TICKET-001/edit/").content.decode())


def test_what_is_done_together_is_said_on_each_and_ends_at_fifty(browse, make_ticket, make_many, devops):
    make_many(51)
    ticked = "&".join(f"ticket=tenant-finance/MANY-{number}" for number in range(51))
    assert len(browse(devops).get(f"/tickets/bulk/?{ticked}").context["tickets"]) == 50
    one = make_ticket("PAY-1")
    typed = {"ticket": ["tenant-finance/PAY-1@1"], "change": "stop", "comment": "Not this year"}
    browse(devops).post("/tickets/bulk/", typed)
    assert one.comments.filter(content="Not this year").exists()


def test_buttons_of_a_gate_and_of_what_is_done(browse, make_ticket, devops, cpi):
    gated = make_ticket("TICKET-001", "?sign-off", "developer")
    queue_task(ticket=gated, by=devops)
    page = browse(cpi).get("/tickets/TICKET-001/")
    offered = {action.verb: action.reason for action in page.context["actions"]}
    assert {"pass_gate", "decline_gate"} <= set(offered)
    assert not {"approve", "decline", "go_back"} & set(offered)
    make_ticket("TICKET-002", "developer", "?sign-off")
    told = {action.verb: action.reason for action in browse(devops).get("/tickets/TICKET-002/").context["actions"]}
    assert "gate of its plan was not passed" in told["complete"]
    assert told["resolve"] == told["complete"]
