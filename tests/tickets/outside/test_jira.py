"""Jira both ways: issues drive tickets, tickets drive issues, nobody hears an echo, and Jira may misbehave."""

from __future__ import annotations

import pytest

from accounts.roles import Role
from accounts.services import withdraw_role
from core.clock import now
from events import outbox
from events.models import ChannelHealth, Connection, Delivery, DomainEvent, OutsideMark
from tests.fakes.jira import ALICE, BOT, Jira
from tests.tickets.outside.conftest import connect
from tickets.models import Comment, Ticket, TicketIssue
from tickets.services import close_ticket, comment_on_ticket, move_ticket
from tickets.states import State


def shown(key: str = "SHOP-1") -> Ticket:
    return Ticket.objects.get(key=key)


# Inward


def test_an_issue_opens_a_ticket_and_drives_it(jira, shop, hear, other_devops):
    jira.create("SHOP-1", assignee={"emailAddress": other_devops.email})
    assert hear() == ["opened"]
    ticket = shown()
    assert (ticket.title, ticket.state, ticket.priority_word, ticket.labels) == (
        "Pay by card",
        "open",
        "high",
        ["cards"],
    )
    assert (ticket.project, ticket.author, ticket.type) == (shop.project, other_devops, "story")
    assert ticket.description.startswith("As a customer")
    assert list(ticket.assignees.all()) == [other_devops]
    assert ticket.links.get().url == f"{jira.url}/browse/SHOP-1"

    jira.move("SHOP-1", "In Progress")
    assert hear() == ["start"]
    jira.edit("SHOP-1", summary="Pay by card or invoice", priority={"name": "Lowest"}, labels=["cards", "pay,now"])
    assert hear() == ["changed labels, priority, title"]
    jira.say("SHOP-1", "Please hurry")
    assert hear() == ["comment"]
    jira.move("SHOP-1", "Done")
    assert hear() == ["resolve"]
    ticket = shown()
    assert (ticket.title, ticket.state, ticket.labels) == ("Pay by card or invoice", "resolved", ["cards", "pay now"])
    assert ticket.comments.latest("id").content == "Alice in Jira:\n\nPlease hurry"
    assert {fact.surface for fact in DomainEvent.objects.about("ticket", "SHOP-1")} == {"jira"}

    jira.delete("SHOP-1")
    assert hear() == ["stop"]
    assert shown().state == "stopped"


def test_a_document_becomes_text(jira, shop, hear):
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": "One"}, {"type": "hardBreak"},
                                                  {"type": "mention", "attrs": {"text": "@Bob"}}]}  # fmt: skip
    jira.create("SHOP-1", description={"type": "doc", "version": 1, "content": [paragraph, paragraph]})
    hear()
    assert shown().description == "One\n@Bob\nOne\n@Bob\n"


def test_what_is_told_twice_or_late_changes_nothing_more(jira, shop, hear):
    jira.create("SHOP-1")
    jira.move("SHOP-1", "In Progress")
    jira.move("SHOP-1", "Done")
    made, begun, done = jira.outgoing
    jira.outgoing = [made, done, begun, done]
    assert hear() == ["opened", "resolve"]
    assert shown().state == "resolved"
    jira.say("SHOP-1", "Once")
    payload = jira.outgoing[0][0]
    jira.send(payload, "another delivery")
    assert hear() == ["comment"]
    assert Comment.objects.filter(worker_id__startswith="jira:").count() == 1


def test_a_closed_ticket_is_taken_up_again_by_the_fewest_steps(jira, shop, hear, devops):
    jira.create("SHOP-1")
    hear()
    close_ticket(ticket=shown(), by=devops)
    jira.move("SHOP-1", "In Progress")
    assert hear() == ["reopen", "start"]


def test_decisions_and_gates_stay_with_people(jira, shop, hear, make_ticket, devops):
    """The rules are those of the pages: a gate ahead is not passed by moving an issue, and nothing else suffers."""
    make_ticket("SHOP-1", "developer", "?sign-off")
    jira.create("SHOP-1")
    assert hear() == ["joined"]
    jira.move("SHOP-1", "Done", comment={"id": "7", "author": ALICE, "body": "Finished"})
    [refused, said] = hear()
    assert (refused.partition(":")[0], said) == ("refused", "comment")
    assert shown().state == "open"
    shop.statuses = "approved = In Progress"
    shop.save()
    jira.move("SHOP-1", "In Progress")
    [refused] = hear()
    assert "without a decision" in refused


def test_the_account_that_acts_has_to_be_allowed(jira, shop, hear, other_devops, tenant):
    withdraw_role(user=other_devops, tenant=tenant, role=Role.DEVOPS)
    jira.create("SHOP-1")
    [refused] = hear()
    assert refused.startswith("refused: ")
    assert not Ticket.objects.exists()


def test_only_projects_that_are_mapped_and_connections_that_are_on(jira, shop, hear, settings):
    jira.create("OTHER-1")
    assert hear() == []
    shop.opens_tickets = False
    shop.save()
    jira.create("SHOP-1")
    assert hear() == []
    shop.opens_tickets = True
    shop.save()
    Connection.objects.update(active=False)
    jira.create("SHOP-2")
    assert hear() == []
    assert not Ticket.objects.exists()


# Outward


@pytest.fixture
def joined(jira, shop, hear) -> Ticket:
    """SHOP-1, opened by its issue."""
    jira.create("SHOP-1")
    hear()
    return shown()


def test_a_ticket_drives_its_issue_and_hears_no_echo(jira, joined, tell, hear, devops):
    move_ticket(ticket=joined, verb="start", by=devops)
    assert tell().receipt == {"SHOP-1": {"status": "In Progress", "from": "To Do"}}
    assert jira.issues["SHOP-1"]["fields"]["status"]["name"] == "In Progress"
    assert hear() == ["It was us."]
    comment_on_ticket(ticket=joined, by=devops, content="Half done")
    tell()
    [comment] = jira.issues["SHOP-1"]["comments"]
    words = [part["text"] for each in comment["body"]["content"] for part in each["content"] if "text" in part]
    assert words == ["devops@example.com:", "Half done"]
    assert hear() == ["It was us."]
    assert jira.issues["SHOP-1"]["links"]["stagepass:SHOP-1"]["title"] == "SHOP-1 in Stagepass"
    close_ticket(ticket=joined, by=devops)
    tell()
    assert jira.issues["SHOP-1"]["fields"]["status"]["name"] == "Done"
    hear()
    assert shown().state == "completed", "Done is completed already, not only resolved"
    assert TicketIssue.objects.get().status == "Done"


def test_what_came_from_jira_is_not_told_back(jira, joined, tell, hear):
    jira.move("SHOP-1", "In Progress")
    jira.say("SHOP-1", "Go")
    assert hear() == ["start", "comment"]
    outbox.route_facts()
    assert not Delivery.objects.filter(channel__startswith="jira:").exists()
    assert jira.count("POST") == 0


def test_an_account_that_people_share_is_told_apart_by_what_we_wrote(jira, shop, joined, tell, hear, devops):
    Connection.objects.update(shared=True)
    move_ticket(ticket=joined, verb="start", by=devops)
    comment_on_ticket(ticket=joined, by=devops, content="Half done")
    tell()
    assert set(hear()) == {"It was us."}
    jira.say("SHOP-1", "By hand, with the same account", by=BOT)
    jira.move("SHOP-1", "Done", by=BOT)
    assert hear() == ["comment", "resolve"]


def test_a_status_reached_already_is_no_step(jira, joined, tell, devops):
    jira.post_to_app = None
    jira.move("SHOP-1", "In Progress")
    move_ticket(ticket=joined, verb="start", by=devops)
    assert tell().receipt == {"SHOP-1": {"status": "In Progress"}}
    assert jira.count("POST /rest/api/3/issue/SHOP-1/transitions") == 0


def test_a_step_that_was_overtaken_is_not_told(jira, joined, tell, devops):
    for verb in ("start", "request_review", "start"):
        move_ticket(ticket=joined, verb=verb, by=devops)
    tell()
    assert jira.issues["SHOP-1"]["fields"]["status"]["name"] == "In Progress"
    assert jira.count("POST /rest/api/3/issue/SHOP-1/transitions") == 1, "never in review"


def test_no_way_in_the_workflow_waits_for_a_person_and_can_be_tried_again(jira, joined, tell, devops):
    close_ticket(ticket=joined, by=devops)
    dead = tell()
    assert dead.state == "dead"
    assert "'To Do'" in dead.last_error
    assert "it offers: In Progress" in dead.last_error
    jira.post_to_app = None
    jira.move("SHOP-1", "In Progress")
    outbox.retry_delivery(delivery=dead)
    assert tell().state == "done"
    assert jira.issues["SHOP-1"]["fields"]["status"]["name"] == "Done"


@pytest.mark.parametrize(
    ("do", "how"),
    [("status", {"status": 500}), ("status", {"status": 503}), ("hang", {}), ("drop", {}), ("status", {"status": 401})],
)
def test_trouble_is_tried_again_and_nothing_is_done_twice(jira, joined, tell, devops, do, how):
    move_ticket(ticket=joined, verb="start", by=devops)
    comment_on_ticket(ticket=joined, by=devops, content="Half done")
    jira.misbehave(do, only="POST", **how)
    for _ in range(6):
        tell()
    assert not Delivery.objects.filter(channel__startswith="jira:").exclude(state="done").exists()
    failed = Delivery.objects.filter(channel__startswith="jira:").exclude(trail=[])
    assert [each.attempts for each in failed] == [2]
    assert jira.issues["SHOP-1"]["fields"]["status"]["name"] == "In Progress"
    assert len(jira.issues["SHOP-1"]["comments"]) == 1


def test_a_comment_that_was_taken_before_the_worker_died_is_found(jira, joined, tell, devops):
    comment_on_ticket(ticket=joined, by=devops, content="Half done")
    jira.misbehave("drop", only="POST /rest/api/3/issue/SHOP-1/comment")
    assert tell().state == "queued"
    assert tell().state == "done"
    [comment] = jira.issues["SHOP-1"]["comments"]
    assert OutsideMark.objects.filter(kind="comment", key=comment["id"]).exists(), "and so it is not read back"


def test_too_many_calls_rest_as_long_as_jira_asks(jira, shop, joined, devops, settings):
    move_ticket(ticket=joined, verb="start", by=devops)
    jira.misbehave("status", status=429, headers={"Retry_After": 120})
    outbox.route_facts()
    name = f"jira:{shop.connection_id}"
    outbox.deliver_channel(name)
    waiting = Delivery.objects.get(channel=name)
    assert waiting.state == "queued"
    assert 100 < (waiting.next_at - now()).total_seconds() <= 120
    health = ChannelHealth.objects.get(channel=name)
    assert health.rests_until is not None
    assert (health.rests_until - now()).total_seconds() > 100
    before = len(jira.calls)
    outbox.deliver_channel(name)
    assert len(jira.calls) == before


def test_a_permanent_refusal_is_on_record(jira, joined, tell, devops):
    jira.misbehave("status", status=400, only="POST")
    move_ticket(ticket=joined, verb="start", by=devops)
    dead = tell()
    assert (dead.state, dead.attempts) == ("dead", 1)
    assert dead.last_error == "Jira acme answered 400: trouble."


def test_an_issue_that_is_gone_is_told_nothing_more(jira, joined, tell, devops):
    jira.post_to_app = None
    jira.delete("SHOP-1")
    move_ticket(ticket=joined, verb="start", by=devops)
    assert tell().receipt == {"SHOP-1": "is not in Jira any more"}
    comment_on_ticket(ticket=joined, by=devops, content="Anyone?")
    outbox.route_facts()
    assert Delivery.objects.filter(channel__startswith="jira:").count() == 1


def test_a_ticket_opened_here_makes_an_issue_there_once(jira, shop, tell, hear, make_ticket, devops):
    shop.opens_issues = True
    shop.save()
    ticket = make_ticket("TICKET-001", labels=("front end",))
    jira.misbehave("drop", only="POST /rest/api/3/issue")
    assert tell().state == "queued"
    assert tell().state == "done"
    [issue] = jira.issues.values()
    assert issue["fields"]["labels"] == ["stagepass-ticket-001", "front-end"]
    assert hear() == ["It was us."]
    assert TicketIssue.objects.get().key == issue["key"]
    move_ticket(ticket=ticket, verb="start", by=devops)
    tell()
    assert jira.issues[issue["key"]]["fields"]["status"]["name"] == "In Progress"
    jira.say(issue["key"], "Thanks")
    assert hear()[-1] == "comment"
    assert Ticket.objects.count() == 1


def test_the_webhook_of_an_issue_that_we_made_may_be_faster_than_its_answer(jira, shop, tell, hear, make_ticket):
    Connection.objects.update(shared=True)
    shop.opens_issues = True
    shop.save()
    make_ticket("TICKET-001")
    jira.misbehave("drop", only="POST /rest/api/3/issue")
    assert tell().state == "queued"
    assert hear() == ["joined"]
    assert tell().state == "done"
    assert Ticket.objects.count() == TicketIssue.objects.count() == 1


def test_a_server_speaks_version_two(settings, tenant, root, project, other_devops, make_ticket, devops):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with Jira(cloud=False) as jira:
        shop = connect(jira, tenant, root, project, other_devops)
        ticket = make_ticket("SHOP-1")
        issue = jira.create("SHOP-1")
        TicketIssue.objects.create(
            ticket=ticket, jira=shop, connection=shop.connection, issue_id=issue["id"], key="SHOP-1"
        )
        comment_on_ticket(ticket=ticket, by=devops, content="Half done")
        outbox.route_facts()
        outbox.deliver_channel(f"jira:{shop.connection_id}")
        assert not Delivery.objects.filter(channel__startswith="jira:").exclude(state="done").exists()
        assert jira.issues["SHOP-1"]["comments"][0]["body"] == "devops@example.com:\n\nHalf done"
        assert Connection.objects.get().account == "JIRAUSER1"


def test_words_of_the_default_map_are_ours():
    from tickets.models.outside import STATUSES, read_statuses

    ours = {word for word, _ in read_statuses(STATUSES)}
    assert {word for word in ours if "." not in word} <= set(State.values)
