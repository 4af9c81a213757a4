"""The page of a ticket: who may do what, reasons why not, verbs that refuse as the services do, nothing typed is lost."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.conftest import content
from tickets.models import Comment, Ticket, TicketLink
from tickets.services import claim_task, comment_on_ticket, complete_stage, decide_gate, move_ticket, queue_task
from tickets.views.verbs import VERBS

PAGE = "/tickets/TICKET-001/"


def reasons(response) -> dict[str, str]:
    return {action.verb: action.reason for action in response.context["actions"]}


def state_of(ticket: Ticket) -> str:
    return Ticket.objects.get(pk=ticket.pk).state


@pytest.fixture
def at_gate(make_ticket, make_worker, devops, worker) -> Ticket:
    """TICKET-001, developed by the worker and waiting at its gate."""
    ticket = make_ticket("TICKET-001", "developer", "?sign-off", "release-manager")
    developer = make_worker("developer")
    queue_task(ticket=ticket, by=devops)
    task = claim_task(worker=developer, by=worker)
    complete_stage(task=task, fence=task.fence, by=worker, comment="Done in `pay.py`")
    return ticket


def test_who_sees_the_page(browse, ticket, devops, cpi, viewer, worker, outsider, cpi_admin):
    statuses = {user.email: browse(user).get(PAGE).status_code for user in (devops, cpi, viewer, worker, cpi_admin)}
    assert set(statuses.values()) == {200}
    assert browse(outsider).get(PAGE).status_code == 404
    assert browse(outsider).get("/tickets/in/tenant-finance/TICKET-001/").status_code == 404
    assert browse(devops).get("/tickets/in/tenant-finance/ticket-001/").status_code == 200


def test_a_key_of_several_tenants_is_a_choice(browse, ticket, make_ticket, outsider, other_tenant, cpi_admin):
    from tickets.services import ensure_project

    make_ticket("TICKET-001", by=outsider, in_project=ensure_project(key="shop", by=outsider, tenant=other_tenant))
    page = browse(cpi_admin).get(PAGE)
    assert page.status_code == 300
    assert "/tickets/in/tenant-retail/TICKET-001/" in page.content.decode()
    assert browse(cpi_admin).get("/tickets/in/tenant-retail/TICKET-001/").status_code == 200
    assert browse(outsider).get(PAGE).status_code == 200


def test_buttons_that_may_not_be_used_say_why(browse, at_gate, devops, cpi, viewer, worker):
    assert reasons(browse(cpi).get(PAGE))["pass_gate"] == ""
    assert "decide" in reasons(browse(devops).get(PAGE))["pass_gate"]
    assert "gate of its plan was not passed" in reasons(browse(devops).get(PAGE))["complete"]
    assert "person" in reasons(browse(worker).get(PAGE))["pass_gate"]
    told = reasons(browse(viewer).get(PAGE))
    assert all(told.values())
    assert "You may not change tickets" in browse(viewer).get(PAGE).content.decode()


@pytest.mark.parametrize("person", ["viewer", "worker", "devops", "outsider"])
@pytest.mark.parametrize("verb", ["pass-gate", "decline-gate"])
def test_only_a_decider_passes_a_gate(person, verb, request, browse, at_gate):
    name = verb.replace("-", "_")
    client = browse(request.getfixturevalue(person))
    response = client.post(f"{PAGE}{verb}/", {f"{name}-comment": "I say so", f"{name}-version": ""})
    assert response.status_code == (404 if person == "outsider" else 422)
    assert Ticket.objects.get(pk=at_gate.pk).progress == 1
    if person != "outsider":
        assert "I say so" in response.content.decode()


def test_a_gate_is_passed_and_declined_from_the_page(browse, at_gate, cpi):
    client = browse(cpi)
    assert b"I say so" not in client.get(f"{PAGE}pass-gate/").content
    version = Ticket.objects.get(pk=at_gate.pk).version
    declined = client.post(f"{PAGE}decline-gate/", {"decline_gate-comment": "", "decline_gate-version": version})
    assert declined.status_code == 422
    assert "reason" in declined.content.decode()
    back = {"decline_gate-comment": "Not tested", "decline_gate-version": version, "decline_gate-back_to_step": "0"}
    assert client.post(f"{PAGE}decline-gate/", back).status_code == 303
    assert Ticket.objects.get(pk=at_gate.pk).stage == "developer"


def test_a_decision_on_a_ticket_that_changed_meanwhile_is_asked_again(browse, at_gate, cpi, devops):
    from tickets.services import edit_ticket

    shown = Ticket.objects.get(pk=at_gate.pk).version
    edit_ticket(ticket=at_gate, by=devops, title="Something else")
    typed = {"pass_gate-comment": "Fine by me", "pass_gate-version": shown}
    again = browse(cpi).post(f"{PAGE}pass-gate/", typed)
    assert again.status_code == 422
    assert "Fine by me" in again.content.decode()
    assert f'name="pass_gate-version" value="{shown + 1}"' in again.content.decode()
    assert Ticket.objects.get(pk=at_gate.pk).progress == 1


@pytest.mark.parametrize("name", sorted(VERBS))
def test_reading_changes_nothing_and_verbs_refuse_as_the_services_do(name, browse, ticket, viewer, devops):
    before = Ticket.objects.values().get(pk=ticket.pk)
    address = f"{PAGE}{name.replace('_', '-')}/"
    assert browse(devops).get(address).status_code == 200
    typed = {f"{name}-comment": "My very own words", f"{name}-version": "1", f"{name}-back_to_step": "0"}
    refused = browse(viewer).post(address, typed)
    assert refused.status_code == 422
    assert "role" in refused.content.decode() or "ran out of attempts" in refused.content.decode()
    assert Ticket.objects.values().get(pk=ticket.pk) == before


def test_moves_close_and_reopen(browse, ticket, devops):
    client = browse(devops)
    for verb, state in {
        "start": "in_progress", "request-review": "in_review", "finish-review": "reviewed",
        "start-testing": "testing", "resolve": "resolved", "complete": "completed", "reopen": "reopened",
        "stop": "stopped",
    }.items():  # fmt: skip
        assert client.post(f"{PAGE}{verb}/", {}).status_code == 303
        assert (verb, state_of(ticket)) == (verb, state)
    too_late = client.post(f"{PAGE}start/", {"start-comment": "kept"})
    assert too_late.status_code == 422
    assert "kept" in too_late.content.decode()
    assert client.post(f"{PAGE}finish_review/", {}).status_code == 404


def test_a_dragged_card_is_answered_with_words_and_never_with_a_page(browse, ticket, devops, viewer):
    htmx = {"HX-Request": "true"}
    refused = browse(viewer).post(f"{PAGE}start/", {"board": "1", "start-version": "1"}, headers=htmx)
    assert (refused.status_code, "red" in refused.headers["HX-Trigger"]) == (204, True)
    assert state_of(ticket) == "open"
    moved = browse(devops).post(f"{PAGE}start/", {"board": "1", "start-version": "1"}, headers=htmx)
    assert (moved.status_code, "green" in moved.headers["HX-Trigger"]) == (204, True)
    stale = browse(devops).post(f"{PAGE}request-review/", {"board": "1", "request_review-version": "1"}, headers=htmx)
    assert "version" in stale.headers["HX-Trigger"]
    assert state_of(ticket) == "in_progress"


def test_comments_are_markdown_and_never_html_of_the_writer(browse, ticket, devops, viewer):
    client = browse(devops)
    assert client.post(f"{PAGE}comment/", {"say-comment": "**Bold** <script>alert(1)</script>"}).status_code == 303
    page = client.get(PAGE).content.decode()
    assert "<strong>Bold</strong>" in page
    assert "<script>alert" not in page
    preview = client.post(f"{PAGE}comment/", {"say-comment": "*soon*", "preview": "1"}).content.decode()
    assert "<em>soon</em>" in preview
    assert "*soon*" in preview
    long = client.post(f"{PAGE}comment/", {"say-comment": "x" * 50_001})
    assert long.status_code == 422
    assert "x" * 50_001 in long.content.decode()
    assert browse(viewer).post(f"{PAGE}comment/", {"say-comment": "me too"}).status_code == 422
    assert Comment.objects.exclude(kind="description").count() == 1


def test_dependencies_and_links(browse, ticket, make_ticket, devops, viewer):
    make_ticket("TICKET-002")
    client = browse(devops)
    assert client.post(f"{PAGE}dependency/", {"wait-blocker": "ticket-002"}).status_code == 303
    assert "It waits for TICKET-002" in client.get(PAGE).content.decode()
    circle = client.post("/tickets/TICKET-002/dependency/", {"wait-blocker": "TICKET-001"})
    assert circle.status_code == 422
    assert "already waits" in circle.content.decode()
    unknown = client.post(f"{PAGE}dependency/", {"wait-blocker": "NOPE-9"})
    assert unknown.status_code == 422
    assert "NOPE-9" in unknown.content.decode()
    assert client.post(f"{PAGE}dependency/", {"wait-blocker": "TICKET-002", "remove": "1"}).status_code == 303
    assert not ticket.depends_on.exists()
    bad = client.post(f"{PAGE}link/", {"link-url": "javascript:alert(1)", "link-kind": "issue", "link-title": "Mine"})
    assert bad.status_code == 422
    assert 'value="Mine"' in bad.content.decode()
    fine = {"link-url": "https://git.example.com/1", "link-kind": "issue", "link-title": ""}
    assert browse(viewer).post(f"{PAGE}link/", fine).status_code == 422
    assert client.post(f"{PAGE}link/", fine).status_code == 303
    link = TicketLink.objects.get()
    assert client.post(f"{PAGE}link/", {"remove": link.pk}).status_code == 303
    assert not TicketLink.objects.exists()


def test_requests_that_name_the_ticket_and_the_way_back(browse, ticket, make_request, viewer, worker, devops):
    promotion = make_request(tickets=("TICKET-001", "NOPE-7"))
    another = make_request(tickets=("ticket-001",), target_name="ledger")
    assert promotion.number in browse(devops).get(PAGE).content.decode()
    assert another.number in browse(devops).get(PAGE).content.decode()
    assert promotion.number not in browse(worker).get(PAGE).content.decode()
    page = browse(devops).get(f"/requests/{promotion.number}/").content.decode()
    assert "/tickets/in/tenant-finance/TICKET-001/" in page
    assert "NOPE-7" in page
    assert "tenant-finance/NOPE-7" not in page
    assert content().target_name in page


def test_the_number_of_queries_does_not_grow(browse, ticket, make_ticket, devops, cpi):
    client, measured = browse(cpi), []
    client.get(PAGE)
    for more in (1, 20):
        for number in range(more):
            comment_on_ticket(ticket=ticket, by=devops, content=f"Word {number}")
            from tickets.services import add_dependency

            add_dependency(ticket=ticket, blocker=make_ticket(), by=devops)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(PAGE).status_code == 200
        measured.append(len(queries))
    assert measured[0] == measured[1] <= 28, measured


def test_declined_approval_and_the_timeline(browse, ticket, devops, cpi):
    move_ticket(ticket=ticket, verb="request_approval", by=devops)
    client = browse(cpi)
    assert client.post(f"{PAGE}decline/", {"decline-comment": "Too early"}).status_code == 303
    page = client.get(PAGE)
    assert [entry.what for entry in page.context["timeline"]] == ["Opened", "Approval requested", "Declined"]
    assert "Too early" in page.content.decode()


def test_a_passed_gate_shows_whose_decision_it_was(browse, at_gate, cpi):
    decide_gate(ticket=at_gate, by=cpi, approve=True, comment="Looks right")
    page = browse(cpi).get(PAGE)
    assert [step["state"] for step in page.context["steps"]] == ["done", "done", "now"]
    assert "Looks right" in page.content.decode()


def test_a_step_bound_to_no_readable_version_is_refused(browse, ticket, devops):
    for version in ("x", "99999999999", "2"):
        refused = browse(devops).post(f"{PAGE}start/", {"start-comment": "", "start-version": version})
        assert (refused.status_code, state_of(ticket)) == (422, "open")
        assert 'data-refused="version_conflict"' in refused.content.decode()


def test_a_ticket_waits_for_one_of_its_own_tenant(browse, ticket, make_ticket, outsider, other_tenant, cpi_admin):
    from tickets.services import ensure_project

    foreign = ensure_project(key="shop", by=outsider, tenant=other_tenant)
    make_ticket("PAY-1", by=outsider, in_project=foreign)
    address = "/tickets/in/tenant-finance/TICKET-001/dependency/"
    refused = browse(cpi_admin).post(address, {"wait-blocker": "PAY-1"})
    assert 'data-refused="not_found"' in refused.content.decode()
    own = make_ticket("PAY-1")
    assert browse(cpi_admin).post(address, {"wait-blocker": "PAY-1"}).status_code == 303
    assert list(ticket.depends_on.all()) == [own]


def test_the_page_has_a_button_that_mutes_the_ticket(browse, ticket, cpi):
    page = browse(cpi)
    assert "Hear of it again" not in page.get(f"/tickets/{ticket.key}/").content.decode()
    page.post("/notices/mute/", {"subject_type": "ticket", "subject_id": ticket.key})
    assert "Hear of it again" in page.get(f"/tickets/{ticket.key}/").content.decode()


def test_a_link_keeps_its_kind_and_its_words(browse, ticket, devops):
    typed = {"link-url": "https://git.example.com/1", "link-kind": "commit", "link-title": "The fix"}
    assert browse(devops).post(f"{PAGE}link/", typed).status_code == 303
    assert TicketLink.objects.values_list("kind", "title").get() == ("commit", "The fix")


def test_stages_to_go_back_to_are_the_ones_done_last_first(browse, make_ticket, make_worker, devops, cpi, worker):
    ticket = make_ticket("TICKET-001", "developer", "tester", "?sign-off")
    for stage in ("developer", "tester"):
        hand = make_worker(stage)
        if not ticket.tasks.filter(worker_type=stage).exists():
            queue_task(ticket=Ticket.objects.get(), by=devops)
        task = claim_task(worker=hand, by=worker)
        complete_stage(task=task, fence=task.fence, by=worker, comment="Done")

    def offered(verb: str) -> list[str]:
        form = browse(cpi).get(f"{PAGE}{verb}/").context["ask"]["form"]
        return [value for value, _ in form.fields["back_to_step"].widget.choices]

    assert offered("go-back") == ["1", "0"]
    assert offered("decline-gate") == ["", "1", "0"]


def test_what_the_board_refuses_it_names(browse, ticket, viewer, devops):
    typed, htmx = {"board": "1", "start-version": "7"}, {"HX-Request": "true"}
    told = json.loads(browse(devops).post(f"{PAGE}start/", typed, headers=htmx).headers["HX-Trigger"])
    assert told["stagepass:say"]["refused"] == "version_conflict"
