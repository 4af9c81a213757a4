"""Tickets follow events that name them and obey commands of commits, where their project says so, and once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.clock import now
from core.errors import InvalidInput
from events import outbox
from events.cdevents.cloudevents import Item
from events.cdevents.receiving import Incoming, receive
from events.cdevents.webhooks.deliveries import map_delivery
from events.models import Delivery, DomainEvent
from tests.events.cdevents.payloads import MERGE, github, pull
from tickets.models import Comment, Ticket
from tickets.selectors import find_mentions
from tickets.services import edit_project, follow_event, move_ticket


@pytest.fixture
def following(project, cpi, make_ticket):
    """CORE-7, of a project that follows events and obeys commits."""
    edit_project(project=project, by=cpi, settings={"follow_events": True, "smart_commits": True})
    return make_ticket("CORE-7")


def told(tenant, payload: tuple[str, Any], delivery: str = "d-1") -> list[dict[str, Any]]:
    """A webhook comes in and what it tells is delivered; the receipts."""
    mapped = map_delivery("github", *payload, (delivery, now()))
    items = [Incoming(Item("webhook", json.dumps(each.body), each.body), each.heard) for each in mapped]
    receive(items=items, tenant=tenant, by=None)
    before = set(Delivery.objects.values_list("pk", flat=True))
    outbox.route_facts()
    outbox.deliver_channel("outside")
    assert not Delivery.objects.filter(channel="outside").exclude(state="done").exists()
    return [each.receipt for each in Delivery.objects.filter(channel="outside").exclude(pk__in=before).order_by("id")]


def state() -> str:
    return Ticket.objects.get(key="CORE-7").state


def review(verdict: str) -> tuple[str, Any]:
    return github("pull_request_review", review={"state": verdict})


def test_the_life_of_a_pull_request(tenant, following):
    steps = [
        (github("create"), "in_progress"),
        (github("pull_request", pull_request=pull(draft=True)), "in_progress"),
        (github("pull_request", action="ready_for_review"), "in_review"),
        (review("changes_requested"), "in_progress"),
        (github("push"), "in_progress"),
        (github("pull_request"), "in_review"),
        (review("commented"), "in_review"),
        (review("approved"), "reviewed"),
        (github("pull_request", action="closed", pull_request=pull(merged=True)), "reviewed"),
    ]
    for number, (payload, expected) in enumerate(steps):
        told(tenant, payload, f"d-{number}")
        assert state() == expected, number
    moves = DomainEvent.objects.about("ticket", "CORE-7").filter(data__has_key="followed")
    assert {fact.actor_label for fact in moves} == {"system"}
    assert [fact.type for fact in moves.order_by("sequence")] == [
        "ticket.started", "ticket.review_requested", "ticket.started", "ticket.review_requested", "ticket.reviewed"
    ]  # fmt: skip


def test_nothing_moves_where_the_project_does_not_say_so(tenant, make_ticket):
    make_ticket("CORE-7")
    assert told(tenant, github("pull_request")) == [{"moved": {}, "commands": []}]
    assert [receipt["moved"] for receipt in told(tenant, github("push"), "d-2")] == [{}, {}]
    assert state() == "open"
    assert not Comment.objects.filter(content="Half done").exists()


def test_a_repetition_does_not_undo_what_people_did_since(tenant, following, devops):
    told(tenant, github("pull_request"))
    assert state() == "in_review"
    move_ticket(ticket=following, verb="start", by=devops)
    fact = DomainEvent.objects.get(type="event.received")
    assert follow_event(ticket=following, fact=fact) == ""
    assert state() == "in_progress"


def test_another_tenants_ticket_with_that_key_stays(tenant, following, other_tenant, outsider, make_ticket):
    from tests.tickets.conftest import ticket_content
    from tickets.services import ensure_project, open_ticket

    theirs = ensure_project(key="test/project", by=outsider, tenant=other_tenant)
    open_ticket(project=theirs, content=ticket_content(), by=outsider, key="CORE-7")
    told(tenant, github("pull_request"))
    states = dict(Ticket.objects.values_list("tenant__slug", "state"))
    assert states == {"tenant-finance": "in_review", "tenant-retail": "open"}


def commit(message: str, email: str = "devops@example.com", sha: str = "c" * 40) -> tuple[str, Any]:
    author = {"name": "Dev", "email": email}
    return github("push", commits=[{"id": sha, "message": message, "author": author}])


def test_commands_are_obeyed_once_in_the_name_of_the_author(tenant, following, devops):
    receipts = told(tenant, commit("CORE-7 #comment Half done #time 2h #review Please look"))
    assert receipts[0]["commands"] == ["CORE-7: comment", "CORE-7: time", "CORE-7: request_review"]
    assert state() == "in_review"
    said = Comment.objects.filter(ticket=following, worker_id__startswith="commit:").order_by("id")
    assert [(each.author, each.content) for each in said] == [
        (devops, "Half done"), (devops, "Time spent: 2h"), (devops, "Please look")
    ]  # fmt: skip
    Delivery.objects.filter(channel="outside").update(state="queued")
    outbox.deliver_channel("outside")
    assert said.count() == 3


@pytest.mark.parametrize(
    ("email", "message", "answer"),
    [
        ("nobody@example.com", "CORE-7 #resolve", "nobody here who may has the e-mail nobody@example.com"),
        ("", "CORE-7 #resolve", "nobody here who may has the e-mail "),
        ("viewer@example.com", "CORE-7 #resolve", "nobody here who may has the e-mail viewer@example.com"),
        ("devops@example.com", "CORE-7 #approve", "There is no command approve; known: "),
        ("devops@example.com", "CORE-7 #close", "There is no command close; known: "),
    ],
)  # fmt: skip
def test_commands_that_are_refused(tenant, following, viewer, email, message, answer):
    receipts = told(tenant, commit(message, email))
    assert receipts[0]["commands"][0].startswith(f"CORE-7: {answer}")
    assert state() == "in_progress", "the push itself began the work, the command did nothing"


def test_no_commit_passes_a_gate(tenant, following, make_ticket, cpi):
    make_ticket("CORE-8", "developer", "?sign-off")
    receipts = told(tenant, commit("CORE-8 #resolve", cpi.email))
    assert "gate ahead" in receipts[0]["commands"][0]
    assert Ticket.objects.get(key="CORE-8").state == "in_progress"


TEXTS = [
    ("CORE-7", ["CORE-7"], []),
    ("core-7: fix", ["CORE-7"], []),
    ("feature/CORE-7-fix-login", ["CORE-7"], []),
    ("CORE-007 CORE-07", ["CORE-7"], []),
    ("(CORE-7)[CORE-7]", ["CORE-7"], []),
    ("PROJECT-12", [], ["PROJECT-12"]),
    ("PROJECT-1", ["PROJECT-001"], []),
    ("UTF-8 SHA-1 CVE-2021-1234 thisCORE-7 CORE-7x CORE-7_1 CORE-7-12 X-CORE-7", [], []),
    ("CORE-7.", ["CORE-7"], []),
    ("", [], []),
    ("ＣＯＲＥ-7 CORE-７", [], []),
    ("CORE-7 PROJECT-1 CORE-7", ["CORE-7", "PROJECT-001"], []),
]


def test_keys_are_found_in_texts_and_only_of_known_projects(
    tenant, other_tenant, make_ticket, django_assert_num_queries
):
    make_ticket("CORE-7")
    make_ticket()
    with django_assert_num_queries(2):
        found = find_mentions(tenant.pk, [text for text, _, _ in TEXTS])
    for (text, tickets, unknown), mentions in zip(TEXTS, found, strict=True):
        assert (list(mentions.tickets), list(mentions.unknown)) == (tickets, unknown), text
    assert find_mentions(other_tenant.pk, ["CORE-7"])[0].tickets == ()


def test_a_project_may_have_a_pattern_of_its_own(tenant, project, cpi, make_ticket):
    make_ticket()
    edit_project(project=project, by=cpi, settings={"key_pattern": r"\[#([0-9]+)\]"})
    (found,) = find_mentions(tenant.pk, ["[#1] not PROJECT-1 nor #1, but [#12]"])
    assert (found.tickets, found.unknown) == (("PROJECT-001",), ("PROJECT-12",))


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a|b)*", "a+b+c+", "(?=x)", "(x)(y)", "[", "x" * 101, 7, r"(x)\1", "a++", "a{1,}b{1,}c*"],
)
def test_patterns_that_could_be_slow_are_refused(project, cpi, pattern):
    with pytest.raises(InvalidInput):
        edit_project(project=project, by=cpi, settings={"key_pattern": pattern})


def test_a_merge_that_is_heard_of_first_counts_once_the_pull_request_is_known(tenant, following):
    """Webhooks arrive in any order: the ticket ends where it would have ended."""
    told(tenant, github("push"), "d-1")
    told(tenant, github("pull_request", action="closed", pull_request=pull(merged=True)), "d-2")
    assert state() == "in_progress"
    told(tenant, github("pull_request"), "d-3")
    assert state() == "reviewed"


def deployed(place: str = "production", sha: str = MERGE) -> tuple[str, Any]:
    """A deployment of a commit, which names no ticket itself."""
    deployment = {"id": 5, "sha": sha, "ref": "main", "environment": place, "description": ""}
    status = {"state": "success", "environment": place, "created_at": "2026-01-02T05:00:00Z"}
    return github("deployment_status", deployment=deployment, deployment_status=status)


def merged() -> tuple[str, Any]:
    return github("pull_request", action="closed", pull_request=pull(merged=True, merge_commit_sha=MERGE))


def test_a_deployment_to_production_resolves_the_tickets_of_its_commits(tenant, following):
    for number, payload in enumerate((github("push"), github("pull_request"), merged(), deployed("qa"))):
        told(tenant, payload, f"d-{number}")
    assert state() == "reviewed"
    told(tenant, deployed(), "d-9")
    assert state() == "resolved"


def test_it_resolves_nothing_where_that_is_off(tenant, project, cpi, following):
    edit_project(project=project, by=cpi, settings={"follow_events": True, "resolve_on_deploy": False})
    for number, payload in enumerate((github("push"), github("pull_request"), merged(), deployed())):
        told(tenant, payload, f"d-{number}")
    assert state() == "reviewed"
