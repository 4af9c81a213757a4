"""Connections and status maps in the admin, their lanes among the channels, the issue on the ticket's page."""

from __future__ import annotations

import pytest

from accounts.roles import Role
from events.endpoints.secrets import unseal
from events.models import Connection, DomainEvent, EventSource
from tests.fakes.jira import BOT
from tickets.demo_jira import seed_jira
from tickets.models import JiraProject, TicketIssue


def typed(tenant, jira, **changes):
    fields = {
        "tenant": tenant.pk, "kind": "jira", "name": "acme", "url": jira.url, "user": BOT["emailAddress"],
        "new_secret": jira.token, "active": "on",
    }  # fmt: skip
    return fields | changes


def test_a_token_is_kept_encrypted_and_never_shown(browse, root, tenant, jira):
    client = browse(root)
    assert client.post("/admin/events/connection/add/", typed(tenant, jira)).status_code == 302
    connection = Connection.objects.get()
    assert jira.token not in connection.secret
    assert unseal(connection.secret) == jira.token
    place = f"/admin/events/connection/{connection.pk}/"
    page = client.get(f"{place}change/").content.decode()
    assert jira.token not in page
    assert connection.secret not in page
    assert client.post(f"{place}check/").status_code == 302
    connection.refresh_from_db()
    assert connection.account == BOT["accountId"]
    kept = typed(tenant, jira, new_secret="", name="Acme's Jira")
    assert client.post(f"{place}change/", kept).status_code == 302
    connection.refresh_from_db()
    assert (connection.name, unseal(connection.secret)) == ("Acme's Jira", jira.token)
    facts = DomainEvent.objects.filter(subject_type="connection").values_list("type", "data__secret_changed")
    assert list(facts) == [("connection.created", True), ("connection.changed", False)]


def test_what_cannot_work_is_refused(browse, root, tenant, other_tenant, jira, settings):
    client = browse(root)
    theirs = EventSource.objects.create(tenant=other_tenant, kind="jira", name="theirs")
    for changes in ({"new_secret": ""}, {"url": "https://user:word@jira.example.com"}, {"source": theirs.pk}):
        answer = client.post("/admin/events/connection/add/", typed(tenant, jira, **changes))
        assert answer.status_code == 200
        assert set(answer.context["adminform"].form.errors) == set(changes)
        assert 'value="acme"' in answer.content.decode(), "what was typed stays"
    settings.WEBHOOK_NETWORKS = []
    client.post("/admin/events/connection/add/", typed(tenant, jira))
    assert not Connection.objects.exists()


def test_a_wrong_token_is_told(browse, root, tenant, jira):
    client = browse(root)
    client.post("/admin/events/connection/add/", typed(tenant, jira, new_secret="wrong"))
    answer = client.post(f"/admin/events/connection/{Connection.objects.get().pk}/check/")
    assert "Put a valid token into the connection." in answer.content.decode()


@pytest.mark.parametrize(
    ("statuses", "fault"),
    [("in_progress", "is no line such as"), ("doing = In Progress", "There is no doing here"), ("open = To Do", "")],
)
def test_a_status_map_is_read_line_by_line(browse, root, shop, statuses, fault):
    fields = {
        "connection": shop.connection_id, "key": "SHOP", "project": shop.project_id, "acts_as": shop.acts_as_id,
        "statuses": statuses, "issue_type": "Task",
    }  # fmt: skip
    answer = browse(root).post(f"/admin/tickets/jiraproject/{shop.pk}/change/", fields)
    assert (answer.status_code, fault in answer.content.decode()) == (200 if fault else 302, True)
    assert JiraProject.objects.get().statuses.startswith("open = To Do")


def test_the_channels_name_the_connections_of_ones_tenants(browse, shop, cpi, make_user, other_tenant):
    page = browse(cpi).get("/deliveries/").content.decode()
    assert "Jira acme" in page
    stranger = make_user("stranger", other_tenant, Role.CPI)
    assert "Jira acme" not in browse(stranger).get("/deliveries/").content.decode()


def test_the_page_of_a_ticket_shows_its_issue_and_its_status(browse, jira, shop, hear, devops):
    jira.create("SHOP-1")
    jira.move("SHOP-1", "In Progress")
    hear()
    page = browse(devops).get("/tickets/SHOP-1/").content.decode()
    assert page.count(f'href="{jira.url}/browse/SHOP-1"') == 1
    assert "in Jira acme" in page
    assert "Followed its issue in Jira" in page
    TicketIssue.objects.update(deleted=True)
    assert "deleted there" in browse(devops).get("/tickets/SHOP-1/").content.decode()


def test_the_demo_connects_to_a_jira_that_is_played(jira, tenant, make_user, settings):
    user = make_user("pierre", tenant, Role.DEVOPS)
    type(user).objects.filter(pk=user.pk).update(email="pierre.durand@cab-i.com")
    settings.DEMO_JIRA = jira.url
    seed_jira()
    seed_jira()
    assert jira.hook == f"{settings.SITE_URL}/webhooks/jira/{EventSource.objects.get().key}"
    assert JiraProject.objects.get().project.key == "finance/shop"
