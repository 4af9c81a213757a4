"""The pages of dead letters and of the dry run, and the admin of sources."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from events.cdevents.cloudevents import Item
from events.cdevents.codec import UnknownType
from events.cdevents.letters import bury
from events.cdevents.webhooks.secrets import secret_of
from events.models import DeadLetter, EventSource, ReceivedEvent
from tests.events.cdevents.conftest import a_change
from tests.events.cdevents.payloads import github
from tests.tickets.conftest import make_ticket, project  # noqa: F401 (fixtures)

LIST = "/events/dead-letters/"


@pytest.fixture
def letter(tenant, devops):
    """One that can be accepted by now."""
    body = a_change()
    return bury(Item("bare", json.dumps(body), body), UnknownType("No <b>such</b> type."), tenant=tenant, by=devops)


def verb(letter: DeadLetter, name: str) -> str:
    return f"{LIST}{letter.pk}/{name}/"


def test_letters_are_listed_for_those_who_may_see_events(letter, browse, devops, viewer, outsider):
    page = browse(devops).get(LIST).content.decode()
    assert "No &lt;b&gt;such&lt;/b&gt; type." in page
    assert "id-1 of /ci" in page
    assert verb(letter, "replay") in page
    seen = browse(viewer).get(LIST).content.decode()
    assert "id-1 of /ci" in seen
    assert verb(letter, "replay") not in seen
    assert "id-1 of /ci" not in browse(outsider).get(LIST).content.decode()
    assert Client().get(LIST).status_code == 302


def test_a_letter_is_replayed_or_discarded(letter, browse, devops, viewer, outsider):
    for user, status in ((outsider, 404), (viewer, 303)):
        assert browse(user).post(verb(letter, "replay"), {"next": LIST}).status_code in {status, 302, 303, 404}
        letter.refresh_from_db()
        assert letter.state == "waiting"
    client = browse(devops)
    client.post(verb(letter, "replay"), {"next": LIST})
    letter.refresh_from_db()
    assert (letter.state, letter.settled_by) == ("replayed", devops)
    assert ReceivedEvent.objects.count() == 1
    assert "Accepted later" in client.get(f"{LIST}?state=any").content.decode()
    assert "is replayed already" in client.post(verb(letter, "discard"), {"next": LIST}, follow=True).content.decode()
    assert client.post(verb(letter, "burn")).status_code == 404
    assert client.get(verb(letter, "replay")).status_code == 405


def test_what_is_still_refused_says_why(tenant, browse, devops):
    letter = bury(Item("bare", "{"), UnknownType("x"), tenant=tenant, by=devops)
    page = browse(devops).post(verb(letter, "replay"), {"next": LIST}, follow=True).content.decode()
    assert "Still refused: This is not JSON" in page
    assert "tried 1 time" in page


def test_the_list_costs_the_same_at_any_length(tenant, browse, devops, django_assert_max_num_queries):
    for number in range(40):
        bury(Item("bare", f"{{{number}"), UnknownType("x"), tenant=tenant, by=devops)
    client = browse(devops)
    with django_assert_max_num_queries(8):
        page = client.get(LIST).content.decode()
    assert "Older" in page


def test_anybody_tries_a_payload_in_a_tenant_of_theirs(browse, devops, outsider, make_ticket):  # noqa: F811
    make_ticket("CORE-7")
    address = "/events/webhooks/dry-run/"
    client = browse(devops)
    assert client.get(address).status_code == 200
    event, payload = github("push")
    typed = {"tenant": "tenant-finance", "kind": "github", "event": event, "payload": json.dumps(payload)}
    assert browse(outsider).post(address, typed).status_code == 422
    page = client.post(address, typed).content.decode()
    assert "2 events" in page
    assert "CORE-7" in page
    assert "#comment" in page
    assert not ReceivedEvent.objects.exists()
    refused = client.post(address, typed | {"payload": "{"})
    assert refused.status_code == 422
    assert "This is not JSON" in refused.content.decode()
    assert "no repository.html_url" in client.post(address, typed | {"payload": "{}"}).content.decode()
    assert "Nothing in it concerns us" in client.post(address, typed | {"event": "star"}).content.decode()


def test_the_admin_shows_the_secret_to_those_who_may_change_it(root, tenant, letter, browse):
    client = browse(root)
    made = client.post(
        reverse("admin:events_eventsource_add"), {"tenant": tenant.pk, "kind": "github", "name": "acme", "active": "on"}
    )
    assert made.status_code == 302, made.content
    source = EventSource.objects.get()
    page = client.get(reverse("admin:events_eventsource_change", args=[source.pk])).content.decode()
    assert secret_of(source) in page
    assert f"/webhooks/github/{source.key}" in page
    client.post(reverse("admin:events_eventsource_change", args=[source.pk]).replace("change/", "renew/"), {})
    assert secret_of(EventSource.objects.get()) != secret_of(source)
    for name in ("eventsource", "inbounddelivery", "receivedevent", "deadletter", "freeze"):
        assert client.get(reverse(f"admin:events_{name}_changelist")).status_code == 200, name
    client.post(reverse("admin:events_deadletter_change", args=[letter.pk]).replace("change/", "replay/"), {})
    assert DeadLetter.objects.get().state == "replayed"
