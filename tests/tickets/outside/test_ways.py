"""A status that Jira's workflow reaches only over others: by ways that were entered or taken before, and no other."""

from __future__ import annotations

import pytest

from core.clock import now
from events.connections.jira_moves import was_announced
from events.connections.marks import STEP, remember
from events.models import Connection, OutsideMark
from tests.fakes.jira import BOT
from tickets.models import JiraProject, JiraStep, Ticket, TicketIssue
from tickets.notifiers.jira_ways import shortest
from tickets.services import close_ticket, move_ticket

# In Review can be reached from In Progress only, Done from In Review only.
LONG = {
    "To Do": {"Start work": "In Progress"},
    "In Progress": {"Send to review": "In Review", "Put back": "To Do"},
    "In Review": {"Rework": "In Progress", "Back to the start": "To Do", "Finish": "Done"},
    "Done": {"Reopen": "To Do"},
}


@pytest.fixture
def joined(jira, shop, hear) -> Ticket:
    jira.workflow = LONG
    jira.create("SHOP-1")
    hear()
    return Ticket.objects.get(key="SHOP-1")


def status(jira) -> str:
    return jira.issues["SHOP-1"]["fields"]["status"]["name"]


def walked(jira) -> list[str]:
    return [item["toString"] for each in jira.issues["SHOP-1"]["histories"] for item in each["items"]]


@pytest.fixture
def entered(shop) -> JiraProject:
    shop.ways = "# how we work\nTo Do > In Progress > In Review > Done"
    shop.save()
    return shop


@pytest.mark.parametrize("shared", [False, True])
def test_a_way_that_was_entered_is_gone_step_by_step(jira, joined, entered, tell, hear, devops, shared):
    Connection.objects.update(shared=shared)
    close_ticket(ticket=joined, by=devops)
    receipt = tell().receipt["SHOP-1"]
    assert receipt == {"status": "Done", "from": "To Do", "through": ["In Progress", "In Review"]}
    assert walked(jira) == ["In Progress", "In Review", "Done"]
    assert hear() == ["It was us."] * 3
    assert Ticket.objects.get().state == "completed"
    assert TicketIssue.objects.get().status == "Done"
    assert not OutsideMark.objects.filter(kind__in=["walk", "step"]).exists()


def test_without_a_known_way_it_waits_for_a_person(jira, joined, tell, devops):
    close_ticket(ticket=joined, by=devops)
    dead = tell()
    assert dead.state == "dead"
    assert dead.last_error == (
        "SHOP-1 is in 'To Do', and Jira's workflow has no way from there to 'Done'; it offers: In Progress."
        " Move it by hand, correct the status map, or enter the way in the Jira project."
    )
    assert walked(jira) == []


def test_a_way_that_another_issue_went_is_known(jira, joined, tell, hear, devops):
    jira.create("SHOP-2")
    for step in ("In Progress", "In Review", "Done"):
        jira.move("SHOP-2", step)
    hear()
    assert JiraStep.objects.count() == 3
    close_ticket(ticket=joined, by=devops)
    assert tell().receipt["SHOP-1"]["through"] == ["In Progress", "In Review"]
    assert status(jira) == "Done"


def test_the_way_of_another_type_of_issue_is_not(jira, joined, tell, hear, devops):
    jira.create("SHOP-2", issuetype={"name": "Bug"})
    for step in ("In Progress", "In Review", "Done"):
        jira.move("SHOP-2", step)
    hear()
    close_ticket(ticket=joined, by=devops)
    assert tell().state == "dead"
    assert walked(jira) == []


def test_what_was_only_learned_leads_through_nothing_that_is_done(jira, shop, joined, tell, devops):
    """Cancelling and reopening is no way to get anywhere, even if somebody once did it."""
    jira.workflow = LONG | {"To Do": {"Cancel": "Cancelled"}, "Cancelled": {"Revive": "In Progress"}}
    for before, after in (("To Do", "Cancelled"), ("Cancelled", "In Progress")):
        JiraStep.objects.create(jira=shop, kind="Story", before=before, after=after)
    move_ticket(ticket=joined, verb="start", by=devops)
    assert tell().state == "dead"
    assert walked(jira) == []
    shop.ways = "To Do > Cancelled > In Progress"
    shop.save()
    TicketIssue.objects.update(status="")
    move_ticket(ticket=Ticket.objects.get(), verb="request_review", by=devops)
    move_ticket(ticket=Ticket.objects.get(), verb="start", by=devops)
    tell()
    assert walked(jira) == ["Cancelled", "In Progress"]


def test_an_issue_that_is_stuck_on_the_way_is_put_back(jira, joined, entered, tell, hear, devops):
    jira.asks_more = {"Finish"}
    close_ticket(ticket=joined, by=devops)
    dead = tell()
    assert dead.state == "dead"
    assert "Jira takes it no further to 'Done': Jira acme answered 400: Resolution is required." in dead.last_error
    assert "It began in 'To Do', and was put back." in dead.last_error
    assert walked(jira) == ["In Progress", "In Review", "To Do"]
    assert TicketIssue.objects.get().status == "To Do"
    assert set(hear()) == {"It was us."}
    assert Ticket.objects.get().state == "completed"


def test_where_there_is_no_way_back_it_is_said_where_it_stands(jira, joined, entered, tell, devops):
    jira.workflow = LONG | {"In Progress": {}}
    close_ticket(ticket=joined, by=devops)
    dead = tell()
    assert "SHOP-1 is in 'In Progress', and" in dead.last_error
    assert "It began in 'To Do'. Move it by hand" in dead.last_error
    assert TicketIssue.objects.get().status == "In Progress"


@pytest.mark.parametrize(("do", "how"), [("status", {"status": 500}), ("drop", {}), ("hang", {})])
def test_trouble_on_the_way_goes_on_from_there(jira, joined, entered, tell, hear, devops, do, how):
    Connection.objects.update(shared=True)
    close_ticket(ticket=joined, by=devops)
    # The first step is taken, the second one meets with trouble.
    jira.misbehave("slow", only="POST /rest/api/3/issue/SHOP-1/transitions")
    jira.misbehave(do, only="POST /rest/api/3/issue/SHOP-1/transitions", **how)
    assert tell().state == "queued"
    assert set(hear()) == {"It was us."}
    receipt = tell().receipt["SHOP-1"]
    assert (receipt["status"], receipt["from"]) == ("Done", "To Do")
    assert walked(jira) == ["In Progress", "In Review", "Done"]
    assert set(hear()) <= {"It was us."}
    assert Ticket.objects.get().state == "completed"


def test_stuck_after_an_interruption_it_is_put_back_to_where_it_began(jira, joined, entered, tell, devops):
    close_ticket(ticket=joined, by=devops)
    jira.misbehave("drop", only="POST /rest/api/3/issue/SHOP-1/transitions")
    assert tell().state == "queued"
    assert status(jira) == "In Progress"
    jira.workflow = LONG | {"In Progress": {"Put back": "To Do"}}
    dead = tell()
    assert dead.state == "dead"
    assert "It began in 'To Do', and was put back." in dead.last_error
    assert status(jira) == "To Do"


def test_an_announced_step_is_ours_once_and_not_for_long(jira, shop):
    connection = shop.connection
    remember(connection, STEP, "shop-1:in progress")
    assert was_announced(connection, "SHOP-1", "In Progress")
    assert not was_announced(connection, "SHOP-1", "In Progress")
    remember(connection, STEP, "shop-1:in progress")
    OutsideMark.objects.update(made_at=now().replace(year=2020))
    assert not was_announced(connection, "SHOP-1", "In Progress")


def test_what_others_do_with_the_shared_account_meanwhile_is_heard(jira, joined, hear):
    Connection.objects.update(shared=True, account=BOT["accountId"])
    remember(Connection.objects.get(), STEP, "shop-1:in review")
    jira.move("SHOP-1", "In Progress", by=BOT)
    assert hear() == ["start"]


def test_the_fewest_steps_and_not_too_many():
    steps = [("a", "b"), ("b", "c"), ("A", "c"), ("c", "A")]
    assert shortest(steps, "a", "C") == ["c"]
    assert shortest(steps, "c", "b") == ["A", "b"]
    assert shortest(steps, "b", "z") == []
    line = [(str(n), str(n + 1)) for n in range(9)]
    assert len(shortest(line, "0", "6")) == 6
    assert shortest(line, "0", "7") == []


def test_ways_are_read_line_by_line(browse, root, shop):
    typed = {
        "connection": shop.connection_id, "key": "SHOP", "project": shop.project_id, "acts_as": shop.acts_as_id,
        "statuses": "open = To Do", "issue_type": "Task", "edits": "on", "ways": "To Do",
    }  # fmt: skip
    answer = browse(root).post(f"/admin/tickets/jiraproject/{shop.pk}/change/", typed)
    assert "is no line such as: To Do &gt; In Progress &gt; Done" in answer.content.decode()
    typed["ways"] = "To Do > In Progress > Done"
    assert browse(root).post(f"/admin/tickets/jiraproject/{shop.pk}/change/", typed).status_code == 302
    shop.refresh_from_db()
    assert (shop.ways, shop.edits) == ("To Do > In Progress > Done", True)
