"""What is edited here is changed in Jira, once and without an echo; what people changed there later holds."""

from __future__ import annotations

import datetime as dt

import pytest

from events import outbox
from events.models import Connection, Delivery, DomainEvent, OutsideMark
from tests.fakes.jira import ALICE, BOT, Jira
from tests.tickets.outside.conftest import connect
from tickets.models import Ticket, TicketIssue
from tickets.services import edit_ticket, move_ticket


@pytest.fixture
def joined(jira, shop, hear) -> Ticket:
    """SHOP-1, opened by its issue."""
    jira.create("SHOP-1", description=None)
    hear()
    return Ticket.objects.get(key="SHOP-1")


def fields(jira, *names):
    found = jira.issues["SHOP-1"]["fields"]
    return [found[name] for name in names]


def edits() -> int:
    return DomainEvent.objects.filter(type="ticket.edited").count()


EDITED = {
    "title": "Pay by  card, or by invoice", "description": "One\n\nTwo\nThree", "labels": ("cards", "front end"),
    "priority": 0, "due_date": dt.date(2026, 12, 24),
}  # fmt: skip


@pytest.mark.parametrize("shared", [False, True])
def test_an_edit_is_told_and_its_echo_is_no_edit(jira, joined, tell, hear, devops, shared):
    Connection.objects.update(shared=shared)
    edit_ticket(ticket=joined, by=devops, **EDITED)
    assert tell().receipt == {"SHOP-1": dict.fromkeys(EDITED, "is told")}
    assert fields(jira, "summary", "labels", "priority", "duedate") == [
        "Pay by card, or by invoice", ["cards", "front-end"], {"name": "Highest"}, "2026-12-24",
    ]  # fmt: skip
    assert [len(each["content"]) for each in fields(jira, "description")[0]["content"]] == [1, 3]
    assert hear() == ["It was us."]
    assert edits() == 1
    outbox.route_facts()
    assert Delivery.objects.filter(channel__startswith="jira:").count() == 1


def test_an_echo_that_nobody_remembers_is_how_the_ticket_is_already(jira, joined, tell, hear, devops):
    """The worker died after Jira took the edit, and people use the account too: only what it says tells that it was us."""
    Connection.objects.update(shared=True)
    edit_ticket(ticket=joined, by=devops, **EDITED)
    jira.misbehave("drop", only="PUT")
    assert tell().state == "queued"
    assert OutsideMark.objects.filter(kind="change").count() == 0
    assert hear() == []
    assert tell().receipt == {"SHOP-1": dict.fromkeys(EDITED, "is so there already")}
    assert (edits(), jira.count("PUT")) == (1, 1)
    ticket = Ticket.objects.get()
    assert (ticket.title, ticket.labels) == ("Pay by  card, or by invoice", ["cards", "front end"])
    assert ticket.description == "One\n\nTwo\nThree"


@pytest.mark.parametrize(("do", "how"), [("status", {"status": 500}), ("hang", {}), ("drop", {}), ("slow", {})])
def test_trouble_is_tried_again(jira, joined, tell, hear, devops, do, how):
    edit_ticket(ticket=joined, by=devops, title="Pay by invoice")
    jira.misbehave(do, only="PUT", **how)
    tell()
    assert tell().state == "done"
    assert fields(jira, "summary") == ["Pay by invoice"]
    assert len([each for each in jira.issues["SHOP-1"]["histories"] if each["author"] == BOT]) == 1
    assert set(hear()) <= {"It was us."}


def test_what_somebody_changed_there_later_holds_and_comes_here(jira, joined, tell, hear, devops):
    edit_ticket(ticket=joined, by=devops, title="Ours", priority=3)
    jira.edit("SHOP-1", summary="Theirs")
    assert tell().receipt == {
        "SHOP-1": {"title": "Alice changed it there later; that holds", "priority": "is told"}
    }  # fmt: skip
    assert fields(jira, "summary", "priority") == ["Theirs", {"name": "Low"}]
    assert hear() == ["changed title", "It was us."]
    assert Ticket.objects.get().title == "Theirs"
    assert jira.count("PUT") == 1


def test_what_somebody_changed_there_before_is_overwritten(jira, joined, tell, devops):
    jira.outgoing = []
    jira.edit("SHOP-1", summary="Theirs")
    edit_ticket(ticket=joined, by=devops, title="Ours")
    assert tell().receipt == {"SHOP-1": {"title": "is told"}}
    assert fields(jira, "summary") == ["Ours"]


def test_labels_that_people_gave_there_stay(jira, joined, tell, hear, devops):
    jira.post_to_app = None
    edit_ticket(ticket=joined, by=devops, labels=("front end", "pay"))
    tell()
    jira.issues["SHOP-1"]["fields"]["labels"].append("theirs")
    edit_ticket(ticket=joined, by=devops, labels=("pay",))
    tell()
    assert fields(jira, "labels") == [["pay", "theirs"]]


def test_labels_keep_their_blanks_here_and_the_label_an_issue_is_found_by_stays_there(jira, joined, hear, devops):
    edit_ticket(ticket=joined, by=devops, labels=("front end",))
    jira.edit("SHOP-1", labels=["front-end", "new", "stagepass-shop-1"])
    assert hear() == ["changed labels"]
    assert Ticket.objects.get().labels == ["front end", "new"]


def test_a_description_with_more_than_text_is_left(jira, joined, tell, devops):
    table = {"type": "doc", "version": 1, "content": [{"type": "table", "content": []}]}
    jira.issues["SHOP-1"]["fields"]["description"] = table
    edit_ticket(ticket=joined, by=devops, description="Ours", title="Ours")
    told = tell().receipt["SHOP-1"]
    assert (told["title"], told["description"][:23]) == ("is told", "has more than text ther")
    assert fields(jira, "description") == [table]


def test_what_jira_does_not_let_us_edit_is_said(jira, joined, tell, devops):
    jira.edit_screen = ["summary"]
    edit_ticket(ticket=joined, by=devops, title="Ours", due_date=dt.date(2026, 12, 24))
    told = {"title": "is told", "due_date": "cannot be edited there by our account"}
    assert tell().receipt == {"SHOP-1": told}
    edit_ticket(ticket=joined, by=devops, due_date=dt.date(2026, 12, 31))
    dead = tell()
    assert dead.state == "dead"
    assert "change nothing of this on SHOP-1: duedate. Put it on the edit screen" in dead.last_error


def test_what_issues_do_not_show_and_projects_that_keep_it_are_not_told(jira, shop, joined, devops, viewer):
    edit_ticket(ticket=joined, by=devops, assignees=(viewer.email,))
    shop.edits = False
    shop.save()
    edit_ticket(ticket=joined, by=devops, title="Ours")
    outbox.route_facts()
    assert not Delivery.objects.filter(channel__startswith="jira:").exists()


def test_what_jira_changed_is_not_told_back(jira, joined, hear):
    jira.edit("SHOP-1", by=ALICE, summary="Theirs")
    assert hear() == ["changed title"]
    outbox.route_facts()
    assert not Delivery.objects.filter(channel__startswith="jira:").exists()


def test_an_edit_is_no_step(jira, joined, tell, devops):
    """Somebody moved the issue where the map has nothing for; an edit does not fetch it back."""
    jira.post_to_app = None
    move_ticket(ticket=joined, verb="start", by=devops)
    tell()
    jira.move("SHOP-1", "To Do")
    edit_ticket(ticket=Ticket.objects.get(), by=devops, title="Ours")
    tell()
    assert jira.issues["SHOP-1"]["fields"]["status"]["name"] == "To Do"


def test_an_edit_before_the_issue_is_made_is_in_it(jira, shop, tell, make_ticket, devops):
    shop.opens_issues = True
    shop.save()
    ticket = make_ticket("TICKET-001")
    edit_ticket(ticket=ticket, by=devops, title="Ours")
    tell()
    [issue] = jira.issues.values()
    assert issue["fields"]["summary"] == "Ours"
    assert jira.count("PUT") == 0


def test_a_server_takes_text(settings, tenant, root, project, other_devops, make_ticket, devops):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with Jira(cloud=False) as jira:
        shop = connect(jira, tenant, root, project, other_devops)
        ticket, issue = make_ticket("SHOP-1"), jira.create("SHOP-1")
        TicketIssue.objects.create(
            ticket=ticket, jira=shop, connection=shop.connection, issue_id=issue["id"], key="SHOP-1"
        )
        edit_ticket(ticket=ticket, by=devops, description="One\n\nTwo")
        outbox.route_facts()
        outbox.deliver_channel(f"jira:{shop.connection_id}")
        assert fields(jira, "description") == ["One\n\nTwo"]
