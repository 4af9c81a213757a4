"""The admin's pages of tickets: they open, show what one may see, and act through the services."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import User
from events.models import Connection
from tickets.models import JiraProject, StageTask, Ticket
from tickets.services import fail_task, queue_task


@pytest.fixture
def root_client(root) -> Client:
    client = Client()
    client.force_login(root)
    return client


def page(kind: str, view: str, *args: object) -> str:
    return reverse(f"admin:tickets_{kind}_{view}", args=args)


def test_every_list_and_page_opens(root_client, claimed, tenant, project, devops):
    jira = Connection.objects.create(tenant=tenant, kind="jira", name="acme", url="https://acme.atlassian.net")
    JiraProject.objects.create(connection=jira, key="SHOP", project=project, acts_as=devops)
    for model in admin.site._registry:
        if model._meta.app_label == "tickets":
            kind = model._meta.model_name
            for address in (page(kind, "changelist"), page(kind, "changelist") + "?q=TICKET-001"):
                assert root_client.get(address).status_code == 200, address
            thing = model._default_manager.first()
            assert root_client.get(page(kind, "change", thing.pk)).status_code == 200, kind


def test_verbs_go_through_the_services(root_client, ticket, claimed, worker):
    fail_task(task=claimed, fence=claimed.fence, by=worker, error="broken", retry=False)
    retry = page("stagetask", "change", claimed.pk).replace("/change/", "/retry/")
    assert root_client.post(retry).status_code == 302
    assert StageTask.objects.get().state == "queued"
    stop = page("ticket", "change", ticket.pk).replace("/change/", "/stop/")
    assert root_client.post(stop, {"comment": "No longer wanted"}).status_code == 302
    ticket.refresh_from_db()
    assert ticket.state == "stopped"
    refused = root_client.post(stop, {"comment": "again"})
    assert b"closed already" in refused.content


def test_a_projects_settings_are_changed_by_those_who_decide(project, cpi, devops):
    address = page("project", "change", project.pk).replace("/change/", "/settings/")
    said = {"queue_next_stage": "on", "lease_seconds": "60", "max_attempts": "5", "key_pattern": ""}
    User.objects.update(is_staff=True)
    client = Client()
    client.force_login(devops)
    assert b'data-refused="not_authorized"' in client.post(address, said).content
    client.force_login(cpi)
    assert b"Change the settings" in client.get(page("project", "change", project.pk)).content
    assert b'data-refused="invalid"' in client.post(address, said | {"lease_seconds": "1"}).content
    assert client.post(address, said).status_code == 302
    project.refresh_from_db()
    assert project.settings == {"resolve_on_deploy": False, "lease_seconds": 60}


def test_staff_see_their_tenants_only(ticket, outsider):
    User.objects.filter(pk=outsider.pk).update(is_staff=True)
    client = Client()
    client.force_login(User.objects.get(pk=outsider.pk))
    assert b"TICKET-001" not in client.get(page("ticket", "changelist")).content
    assert client.get(page("ticket", "change", ticket.pk)).status_code == 302


def test_a_gate_is_offered_to_those_who_may_pass_it(root_client, make_ticket, devops):
    ticket = make_ticket("T-1", "?sign-off")
    queue_task(ticket=ticket, by=devops)
    address = page("ticket", "change", ticket.pk)
    assert b"Pass the gate" in root_client.get(address).content
    assert root_client.post(address.replace("/change/", "/pass_gate/"), {"comment": ""}).status_code == 302
    assert Ticket.objects.get().state == "approved"
