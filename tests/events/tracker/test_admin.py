"""The admin of events, locks and the catalogue: staff see their tenants' and act through the same services."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.services import issue_token
from events.models import CatalogEntry, Event, EventChange, Lock, TrackerClient
from events.tracker.catalog import put_entry
from events.tracker.locks import acquire_lock

pytestmark = pytest.mark.django_db
MODELS = {"event": Event, "lock": Lock, "catalogentry": CatalogEntry}


def staff(user: User) -> Client:
    User.objects.filter(pk=user.pk).update(is_staff=True)
    client = Client()
    client.force_login(User.objects.get(pk=user.pk))
    return client


@pytest.fixture
def things(tenant, devops, event):
    acquire_lock(tenant=tenant, content={"service": "ledger", "who": "ana"}, by=devops)
    put_entry(tenant=tenant, content={"name": "ledger", "owner": "ana", "version": "1"}, by=devops)


def page(name: str, thing) -> str:
    return reverse(f"admin:events_{name}_change", args=[thing.pk])


@pytest.mark.parametrize("name", MODELS)
def test_staff_see_what_their_role_shows_and_no_more(things, devops, outsider, name):
    thing = MODELS[name].objects.get()
    listed = reverse(f"admin:events_{name}_changelist")
    mine, theirs = staff(devops), staff(outsider)
    assert "edger" in mine.get(listed).content.decode()
    assert mine.get(f"{listed}?q=ledger").status_code == 200
    assert mine.get(page(name, thing)).status_code == 200
    assert f"/{thing.pk}/" not in theirs.get(listed).content.decode()
    assert theirs.get(page(name, thing)).status_code == 302


def test_verbs_call_the_services(things, devops):
    client, event = staff(devops), Event.objects.get()
    address = page("event", event).removesuffix("change/")
    client.post(f"{address}comment/", {"comment": "seen"})
    client.post(f"{address}set_status/", {"status": "3"})
    assert list(EventChange.objects.values_list("user", "comment")) == [(devops.email, "seen"), (devops.email, "")]
    assert client.get(page("event", event)).content.decode().count("seen") >= 1
    client.post(page("lock", Lock.objects.get()).replace("change/", "release/"), {})
    client.post(page("catalogentry", CatalogEntry.objects.get()).replace("change/", "remove/"), {})
    client.post(f"{address}remove/", {})
    assert not Lock.objects.exists()
    assert not CatalogEntry.objects.exists()
    assert not Event.objects.exists()


def test_a_viewer_may_look_but_not_act(things, viewer):
    client = staff(viewer)
    event = Event.objects.get()
    client.post(page("event", event).replace("change/", "remove/"), {})
    assert Event.objects.exists()


def test_a_token_becomes_a_client_of_tracker(root, devops):
    token, _ = issue_token(user=devops, name="bot", scopes=["events:write"])
    answer = staff(root).post(reverse("admin:events_trackerclient_add"), {"token": token.pk, "status_numbers": "wire"})
    assert answer.status_code == 302
    assert TrackerClient.objects.get().token == token
