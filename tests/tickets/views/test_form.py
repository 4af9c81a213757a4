"""New ticket and edit: faults beside their fields, nothing typed is lost, slower ones are told."""

from __future__ import annotations

from django.test import Client

from accounts.roles import Role
from accounts.services import grant_role
from tickets.models import Project, Ticket
from tickets.services import edit_ticket

TYPED = {
    "tenant": "tenant-finance", "project": "finance/pay", "key": "PAY-7", "title": "Refunds", "type": "story",
    "description": "Give **back**", "priority": "1", "plan": "developer\r\n? sign-off", "labels": "refunds, ui",
    "assignees": "devops@example.com", "due_date": "2026-12-24", "parent": "", "version": "", "drafted_by": "",
}  # fmt: skip


def test_a_ticket_is_opened_with_everything_that_was_typed(browse, devops, tenant):
    response = browse(devops).post("/tickets/new/", TYPED)
    assert (response.status_code, response.url) == (303, "/tickets/PAY-7/")
    ticket = Ticket.objects.get()
    assert ticket.plan == [{"stage": "developer", "gate": False}, {"stage": "sign-off", "gate": True}]
    assert (ticket.labels, ticket.priority, ticket.type) == (["refunds", "ui"], 1, "story")
    assert [person.email for person in ticket.assignees.all()] == ["devops@example.com"]
    assert str(ticket.due_date) == "2026-12-24"


def test_faults_are_beside_their_fields_and_nothing_is_lost_or_left_behind(browse, devops, tenant):
    bad = TYPED | {"title": " ", "labels": "x" * 60, "due_date": "tomorrow", "plan": "planned"}
    response = browse(devops).post("/tickets/new/", bad)
    assert response.status_code == 422
    assert "due_date" in response.context["form"].errors
    response = browse(devops).post("/tickets/new/", bad | {"due_date": ""})
    assert {"title", "labels", "plan"} <= set(response.context["form"].errors)
    page = response.content.decode()
    for word in ("finance/pay", "PAY-7", "Give **back**", "x" * 60, "devops@example.com"):
        assert word in page
    assert not Ticket.objects.exists()
    assert not Project.objects.exists()


def test_only_those_who_may_are_shown_the_form(browse, viewer, outsider, ticket):
    assert browse(viewer).get("/tickets/new/").status_code == 403
    assert browse(viewer).post("/tickets/new/", TYPED).status_code == 403
    assert browse(viewer).get("/tickets/TICKET-001/edit/").status_code == 403
    assert browse(outsider).get("/tickets/TICKET-001/edit/").status_code == 404
    assert browse(outsider).post("/tickets/new/", TYPED).status_code == 422
    assert not Ticket.objects.filter(key="PAY-7").exists()


def test_an_ended_session_keeps_the_draft_for_the_same_person_only(devops, other_devops, tenant):
    client = Client()
    assert client.post("/tickets/new/", TYPED | {"drafted_by": str(devops.public_id)}).status_code == 302
    client.force_login(devops)
    page = client.get("/tickets/new/")
    assert page.context["restored"] is True
    assert "Give **back**" in page.content.decode()
    other = Client()
    other.post("/tickets/new/", TYPED | {"drafted_by": str(devops.public_id)})
    other.force_login(other_devops)
    assert "Give **back**" not in other.get("/tickets/new/").content.decode()


def test_an_edit_that_came_second_is_told_and_kept(browse, ticket, devops):
    client = browse(devops)
    typed = {
        **TYPED, **{name: value or "" for name, value in client.get("/tickets/TICKET-001/edit/").context["form"].initial.items()},
        "title": "Mine",
    }  # fmt: skip
    edit_ticket(ticket=ticket, by=devops, title="Theirs")
    second = client.post("/tickets/TICKET-001/edit/", typed)
    assert second.status_code == 422
    assert 'value="Mine"' in second.content.decode()
    assert Ticket.objects.get().title == "Theirs"
    assert client.post("/tickets/TICKET-001/edit/", typed | {"version": "2"}).status_code == 303
    assert Ticket.objects.get().title == "Mine"
    assert [step["stage"] for step in Ticket.objects.get().plan] == ["architect", "developer", "tester"]


def test_previews_are_safe_and_change_nothing(browse, devops, tenant):
    page = browse(devops).post("/tickets/new/", TYPED | {"preview": "1"}).content.decode()
    assert "<strong>back</strong>" in page
    part = browse(devops).post("/tickets/preview/", {"say-comment": "*a* <script>x</script>"}).content.decode()
    assert "<em>a</em>" in part
    assert "<script>" not in part
    assert not Ticket.objects.exists()


def test_the_form_offers_the_tenants_one_may_open_tickets_in(browse, make_user, tenant, other_tenant):
    both = make_user("both", tenant, Role.DEVOPS)
    grant_role(user=both, tenant=other_tenant, role=Role.VIEWER)
    form = browse(both).get("/tickets/new/").context["form"]
    assert [one.slug for one in form.tenants] == ["tenant-finance"]
    assert form.initial["tenant"] == "tenant-finance"


def test_a_link_fills_in_what_it_names(browse, devops, tenant):
    page = browse(devops).get("/tickets/new/?parent=PAY-1&labels=ui&title=Refunds&type=bug&project=finance/pay")
    initial = page.context["form"].initial
    named = ("parent", "labels", "title", "type", "project")
    assert [initial[name] for name in named] == ["PAY-1", "ui", "Refunds", "bug", "finance/pay"]
    assert 'value="PAY-1"' in page.content.decode()


def test_saving_an_edit_as_it_was_shown_changes_nothing(browse, make_ticket, devops):
    made = make_ticket(
        "TICKET-001", "developer", "?sign-off", labels=("refunds", "ui"), assignees=(devops.email,), due_date="2026-12-24",
    )  # fmt: skip
    before = Ticket.objects.values().get(pk=made.pk)
    shown = browse(devops).get("/tickets/TICKET-001/edit/").context["form"]
    typed = {name: shown[name].value() or "" for name in shown.fields}
    assert browse(devops).post("/tickets/TICKET-001/edit/", typed).status_code == 303
    assert Ticket.objects.values().get(pk=made.pk) == before
    assert [person.email for person in made.assignees.all()] == [devops.email]


def test_a_draft_that_was_sent_is_not_offered_again(devops, tenant):
    client = Client()
    client.post("/tickets/new/", TYPED | {"drafted_by": str(devops.public_id)})
    client.force_login(devops)
    assert client.get("/tickets/new/").context["restored"] is True
    assert client.post("/tickets/new/", TYPED | {"drafted_by": str(devops.public_id)}).status_code == 303
    assert client.get("/tickets/new/").context["restored"] is False
    assert "Give **back**" not in client.get("/tickets/new/").content.decode()
