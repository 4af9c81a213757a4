"""Opening and editing: keys, projects, what changes, and what is left on record."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from accounts.roles import Role
from accounts.services import grant_role
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound, WrongState
from events.models import DomainEvent
from tests.tickets.conftest import steps, ticket_content
from tickets.errors import VersionConflict
from tickets.models import Project, Ticket
from tickets.selectors import TicketFilter, board, find_ticket, list_tickets, ticket_history
from tickets.services import (
    add_dependency,
    claim_task,
    comment_on_ticket,
    complete_stage,
    create_project,
    edit_ticket,
    ensure_project,
    link_ticket,
    move_ticket,
    open_ticket,
    queue_task,
    remove_dependency,
    unlink_ticket,
)
from tickets.wire import render_opened_ticket, render_ticket_in_full


def test_opening_writes_the_description_as_first_comment(ticket, devops):
    first = ticket.comments.get()
    assert (first.kind, first.stage_number, first.worker_id, first.content) == (
        "description", 0, "coordinator", "Create secure user authentication system",
    )  # fmt: skip
    fact = DomainEvent.objects.get(type="ticket.opened")
    assert (fact.subject_id, fact.data["project"], fact.data["last_completed_stage"]) == (
        "TICKET-001", "test/project", "Planned",
    )  # fmt: skip


def test_a_key_is_taken_once_in_any_case(make_ticket, ticket):
    with pytest.raises(Conflict) as refusal:
        make_ticket("ticket-001")
    assert (refusal.value.code, refusal.value.field) == ("ticket_exists", "ticket_id")
    assert Ticket.objects.count() == 1


def test_two_tenants_may_use_a_key_and_it_is_told_when_unclear(ticket, outsider, other_tenant, devops, cpi_admin):
    theirs = open_ticket(
        project=ensure_project(key="test/project", by=outsider), content=ticket_content(), by=outsider, key="TICKET-001"
    )
    assert find_ticket(user=devops, key="TICKET-001") == ticket
    assert find_ticket(user=outsider, key="TICKET-001") == theirs
    with pytest.raises(Conflict) as refusal:
        find_ticket(user=cpi_admin, key="TICKET-001")
    assert refusal.value.code == "ambiguous_key"
    assert refusal.value.details == {"tenants": ["tenant-finance", "tenant-retail"]}
    assert find_ticket(user=cpi_admin, key="TICKET-001", tenant="tenant-retail") == theirs


@pytest.mark.parametrize("key", ["", "NONE-1", "\x00", "TICKET-001\x00", "%", "TICKET_001", "x" * 10_000])
def test_what_is_no_key_is_not_found(key, ticket, devops):
    with pytest.raises(NotFound):
        find_ticket(user=devops, key=key)


def test_generated_keys_pass_over_given_ones(make_ticket, project):
    make_ticket("PROJECT-002")
    assert [make_ticket().key for _ in range(3)] == ["PROJECT-001", "PROJECT-003", "PROJECT-004"]


def test_a_project_is_made_in_the_home_tenant_of_who_names_it(devops, tenant, viewer):
    made = ensure_project(key="new/one", by=devops)
    assert (made.tenant, made.prefix) == (tenant, "ONE")
    assert ensure_project(key="NEW/one", by=devops) == made
    with pytest.raises(NotAllowed):
        ensure_project(key="another", by=viewer)
    with pytest.raises(InvalidInput):
        ensure_project(key="no spaces", by=devops)


def test_prefixes_do_not_collide(devops, tenant):
    made = [create_project(key=f"{name}/api", tenant=tenant, by=devops) for name in ("a", "b", "c")]
    assert [project.prefix for project in made] == ["API", "API2", "API3"]
    with pytest.raises(Conflict) as refusal:
        create_project(key="d/api", tenant=tenant, by=devops, prefix="API")
    assert refusal.value.code == "prefix_taken"


def test_a_project_in_several_tenants_is_the_home_one(devops, outsider, other_tenant, tenant):
    home = ensure_project(key="shared", by=devops)
    away = ensure_project(key="shared", by=outsider)
    grant_role(user=devops, tenant=other_tenant, role=Role.DEVOPS)
    del devops._grants
    assert ensure_project(key="shared", by=devops) == home
    assert ensure_project(key="shared", by=devops, tenant=other_tenant) == away
    assert Project.objects.count() == 2


def test_editing_tells_what_changed(ticket, devops, viewer):
    changed = edit_ticket(
        ticket=ticket, by=devops, version=1, title="Log-in", labels=("a", "b"), assignees=(viewer.email,),
        description="Shorter",
    )  # fmt: skip
    assert (changed.version, changed.title, changed.labels) == (2, "Log-in", ["a", "b"])
    assert changed.comments.get(kind="description").content == "Shorter"
    assert list(changed.assignees.all()) == [viewer]
    fact = DomainEvent.objects.get(type="ticket.edited")
    assert fact.data["changed"] == ["title", "description", "labels", "assignees"]
    assert edit_ticket(ticket=ticket, by=devops, title="Log-in").version == 2
    with pytest.raises(VersionConflict) as refusal:
        edit_ticket(ticket=ticket, by=devops, version=1, title="Late")
    assert (refusal.value.status, refusal.value.details) == (412, {"version": 2})


def test_people_of_other_tenants_are_not_assigned(ticket, devops, outsider):
    with pytest.raises(InvalidInput, match="outsider"):
        edit_ticket(ticket=ticket, by=devops, assignees=(outsider.email,))


def test_the_plan_may_change_ahead_but_not_behind(claimed, worker, devops, ticket):
    with pytest.raises(Conflict) as refusal:
        edit_ticket(ticket=ticket, by=devops, plan=steps("designer", "developer"))
    assert refusal.value.code == "stage_claimed"
    complete_stage(task=claimed, fence=claimed.fence, by=worker)
    with pytest.raises(Conflict) as refusal:
        edit_ticket(ticket=ticket, by=devops, plan=steps("designer", "developer"))
    assert refusal.value.code == "stage_already_done"
    changed = edit_ticket(ticket=ticket, by=devops, plan=steps("architect", "writer"))
    assert (changed.stage, changed.progress) == ("writer", 1)
    assert not changed.tasks.open().exists(), "the developer's queued task went with its step"


def test_parents_make_no_circle(make_ticket, devops):
    first, second, third = make_ticket("T-1"), make_ticket("T-2", parent="T-1"), make_ticket("T-3", parent="T-2")
    assert third.parent == second
    with pytest.raises(Conflict) as refusal:
        edit_ticket(ticket=first, by=devops, parent="T-3")
    assert refusal.value.code == "parent_cycle"
    with pytest.raises(Conflict):
        edit_ticket(ticket=first, by=devops, parent="T-1")
    assert edit_ticket(ticket=second, by=devops, parent="").parent is None
    with pytest.raises(IntegrityError), transaction.atomic():
        Ticket.objects.filter(pk=first.pk).update(parent=first)


def test_dependencies_hold_work_back_and_circles_are_told(make_ticket, make_worker, worker, devops):
    first, second, third = (make_ticket(f"T-{number}", "architect") for number in (1, 2, 3))
    add_dependency(ticket=first, blocker=second, by=devops)
    assert add_dependency(ticket=first, blocker=second, by=devops) == first.dependencies.get()
    add_dependency(ticket=second, blocker=third, by=devops)
    with pytest.raises(Conflict) as refusal:
        add_dependency(ticket=third, blocker=first, by=devops)
    assert refusal.value.details == {"cycle": ["T-1", "T-2", "T-3"]}
    with pytest.raises(InvalidInput):
        add_dependency(ticket=first, blocker=first, by=devops)
    architect = make_worker("architect")
    queue_task(ticket=second, by=devops)
    assert claim_task(worker=architect, by=worker) is None
    move_ticket(ticket=third, verb="start", by=devops)
    move_ticket(ticket=third, verb="resolve", by=devops)
    assert claim_task(worker=architect, by=worker).ticket == second
    remove_dependency(ticket=first, blocker=second, by=devops)
    remove_dependency(ticket=first, blocker=second, by=devops)
    assert DomainEvent.objects.filter(type="ticket.dependency_removed").count() == 1


def test_a_stopped_blocker_blocks_on(make_ticket, make_worker, worker, devops):
    from tickets.services import close_ticket

    ticket, blocker = make_ticket("T-1"), make_ticket("T-2")
    add_dependency(ticket=ticket, blocker=blocker, by=devops)
    architect = make_worker("architect")
    queue_task(ticket=ticket, by=devops)
    close_ticket(ticket=blocker, by=devops, resolution="stopped")
    assert claim_task(worker=architect, by=worker) is None


def test_links_are_kept_once_and_only_to_the_web(ticket, devops):
    link = link_ticket(ticket=ticket, by=devops, url="https://jira.example.com/T-1", kind="issue")
    again = link_ticket(ticket=ticket, by=devops, url="https://jira.example.com/T-1", kind="issue", title="T-1")
    assert again == link
    for url in ("javascript:alert(1)", "ftp://x.example", "https://", "https://x y", "//x.example", ""):
        with pytest.raises(InvalidInput):
            link_ticket(ticket=ticket, by=devops, url=url)
    unlink_ticket(ticket=ticket, link=link.pk, by=devops)
    with pytest.raises(NotFound):
        unlink_ticket(ticket=ticket, link=link.pk, by=devops)


def test_the_author_of_a_comment_is_the_account_whatever_it_calls_itself(ticket, worker):
    said = comment_on_ticket(ticket=ticket, by=worker, content="**Hi**", worker_type="cpi", worker_id="jean.dupont")
    assert (said.author, said.worker_id, said.stage, said.stage_number) == (worker, "jean.dupont", "architect", 1)
    for content in ("", "  ", "x" * 50_001, "nul\x00", "\ud800"):
        with pytest.raises(InvalidInput):
            comment_on_ticket(ticket=ticket, by=worker, content=content)


def test_lists_boards_and_histories_show_what_one_may_see(ticket, make_ticket, devops, outsider, viewer):
    other = make_ticket("T-2", title="Something else entirely", description="")
    move_ticket(ticket=other, verb="start", by=devops)
    add_dependency(ticket=ticket, blocker=other, by=devops)
    columns = {column.state: [t.key for t in column.tickets] for column in board(user=viewer)}
    assert (columns["open"], columns["in_progress"]) == (["TICKET-001"], ["T-2"])
    assert [column.count for column in board(user=outsider)] == [0] * 10
    assert [t.key for t in list_tickets(user=viewer, narrowed=TicketFilter(blocked=True))] == ["TICKET-001"]
    assert [t.key for t in list_tickets(user=viewer, narrowed=TicketFilter(q='"secure user" -nothing'))] == [
        "TICKET-001"
    ]
    assert [t.key for t in list_tickets(user=viewer, narrowed=TicketFilter(q="t-"))] == ["T-2"]
    assert not list_tickets(user=outsider).exists()
    types = [fact.type for fact in ticket_history(user=viewer, ticket=other)]
    assert types == ["ticket.opened", "ticket.started"]
    assert not ticket_history(user=outsider, ticket=other).exists()
    shown = render_ticket_in_full(find_ticket(user=viewer, key="TICKET-001"))
    assert (shown["blocked"], shown["depends_on"]) == (True, [{"ticket_id": "T-2", "state": "in_progress"}])


def test_reading_costs_the_same_however_many_there_are(make_ticket, devops, viewer):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from accounts.models import User
    from tickets.selectors import page_tickets
    from tickets.wire import render_ticket

    def cost() -> list[int]:
        counts = []
        for read in (
            lambda by: [render_ticket(ticket) for ticket in page_tickets(user=by)[0]],
            lambda by: [render_ticket(ticket) for column in board(user=by) for ticket in column.tickets],
        ):
            with CaptureQueriesContext(connection) as captured:
                read(User.objects.get(pk=viewer.pk))
            counts.append(len(captured))
        return counts

    make_ticket("T-0", assignees=(viewer.email,))
    few = cost()
    for number in range(1, 15):
        make_ticket(f"T-{number}", assignees=(viewer.email, devops.email), parent="T-0")
    assert cost() == few
    assert max(few) <= 8, few


def test_nothing_is_written_when_the_fact_cannot_be(ticket, devops):
    """A verb and its fact are one: without the transaction's end there is neither."""
    with pytest.raises(RuntimeError), transaction.atomic():
        move_ticket(ticket=ticket, verb="start", by=devops)
        raise RuntimeError
    ticket.refresh_from_db()
    assert (ticket.state, ticket.version) == ("open", 1)
    with pytest.raises(WrongState):
        move_ticket(ticket=ticket, verb="finish_review", by=devops)


@pytest.mark.parametrize("changes", [{}, {"assignees": ("devops@example.com",), "parent": "TICKET-001", "priority": 0}])
def test_what_is_told_of_a_new_ticket_is_what_is_read_of_it(changes, ticket, project, devops):
    content = ticket_content(due_date=dt.date(2030, 1, 2), labels=("one",), **changes)
    opened = open_ticket(project=project, content=content, by=devops, key="NEW-1")
    assert render_opened_ticket(opened, content) == render_ticket_in_full(Ticket.objects.get(pk=opened.pk))
