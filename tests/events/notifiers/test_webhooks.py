"""Webhooks: signed as receivers verify it, patient with those who misbehave, never to where they must not go."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.core import mail

from accounts.roles import Role
from core.clock import now
from core.errors import InvalidInput, NotAllowed
from events import outbox
from events.endpoints import guard, services
from events.endpoints.guard import Forbidden, Unreachable
from events.models import ChannelHealth, Delivery, DomainEvent, WebhookEndpoint
from events.notifiers.webhooks import read_wait
from tests.fakes.webhook_receiver import Receiver


@pytest.fixture
def receiver(monkeypatch) -> Iterator[Receiver]:
    monkeypatch.setattr(guard, "CALL_SECONDS", 1.0)
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def endpoint(receiver, tenant, cpi) -> WebhookEndpoint:
    endpoint, receiver.secret = services.create_endpoint(
        tenant=tenant, name="pipeline", url=receiver.url, patterns=["promotion.*"], by=cpi
    )
    return endpoint


def lane(endpoint: WebhookEndpoint) -> str:
    return f"webhooks:{endpoint.pk}"


def deliver(endpoint: WebhookEndpoint) -> int:
    outbox.route_facts()
    Delivery.objects.filter(state="queued").update(next_at=now())
    ChannelHealth.objects.update(rests_until=None)
    return outbox.deliver_channel(lane(endpoint))


def of(endpoint: WebhookEndpoint) -> Delivery:
    return Delivery.objects.filter(channel=lane(endpoint)).latest("pk")


def test_a_receiver_verifies_what_it_gets(receiver, endpoint, make_request):
    promotion = make_request()
    assert deliver(endpoint) == 1
    [told] = receiver.verified
    assert told["type"] == "request-created"
    assert told["payload"]["subject"]["id"] == promotion.number
    assert receiver.ids == [str(DomainEvent.objects.get(type="promotion.created").id)]
    assert of(endpoint).receipt == {"status": 200}


def test_only_facts_of_its_tenant_that_it_wants(receiver, endpoint, make_request, other_tenant, make_user, cpi):
    make_request()
    stranger = make_user("stranger", other_tenant, Role.DEVOPS)
    make_request(by=stranger, in_tenant=other_tenant)
    services.create_endpoint(
        tenant=endpoint.tenant, name="critical only", url=receiver.url, patterns=["*"], severity=4, by=cpi
    )
    services.create_endpoint(
        tenant=endpoint.tenant, name="other service", url=receiver.url, patterns=["*"], service="ledger", by=cpi
    )
    outbox.route_facts()

    assert Delivery.objects.filter(channel__startswith="webhooks:").count() == 1


def test_after_a_rotation_both_secrets_verify_for_a_day(receiver, endpoint, make_request, cpi, time_machine):
    old = receiver.secret
    new = services.rotate_secret(endpoint=endpoint, by=cpi)
    make_request()
    deliver(endpoint)
    assert len(receiver.verified) == 1, "the old one still does"
    receiver.secret = new
    make_request(target_name="b")
    deliver(endpoint)
    assert len(receiver.verified) == 2
    receiver.secret = old
    WebhookEndpoint.objects.update(old_secret_until=now() - dt.timedelta(seconds=1))
    make_request(target_name="c")
    deliver(endpoint)
    assert (len(receiver.verified), receiver.forged) == (2, 1)


@pytest.mark.parametrize("trouble", [500, 503, 400, 404, 429, "redirect", "drop", "hang", "trickle"])
def test_trouble_is_tried_again_under_the_same_id(receiver, endpoint, make_request, trouble):
    make_request()
    receiver.behaviour = trouble
    assert deliver(endpoint) == 0
    waiting = of(endpoint)
    assert (waiting.state, len(waiting.trail)) == ("queued", 1)
    receiver.release.set()
    receiver.behaviour = 200
    assert deliver(endpoint) == 1
    assert len(set(receiver.ids)) == 1
    assert WebhookEndpoint.objects.get().failing_since is None


def test_one_that_is_down_is_tried_again_once_it_is_back(receiver, endpoint, make_request):
    with Receiver() as gone:
        WebhookEndpoint.objects.update(url=gone.url)
    make_request()
    assert deliver(endpoint) == 0
    assert (of(endpoint).state, ChannelHealth.objects.get(channel=lane(endpoint)).failures) == ("queued", 1)
    WebhookEndpoint.objects.update(url=receiver.url)
    assert deliver(endpoint) == 1


def test_one_that_is_slow_is_waited_for(receiver, endpoint, make_request):
    receiver.behaviour = "slow"
    make_request()
    assert deliver(endpoint) == 1
    assert len(receiver.verified) == 1


def test_one_that_hangs_holds_up_no_other(receiver, endpoint, make_request, cpi):
    receiver.behaviour = "hang"
    make_request()
    outbox.route_facts()
    with Receiver() as healthy:
        other, healthy.secret = services.create_endpoint(
            tenant=endpoint.tenant, name="healthy", url=healthy.url, patterns=["promotion.*"], by=cpi
        )
        make_request(target_name="b")
        assert deliver(endpoint) == 0
        assert deliver(other) == 1
        assert len(healthy.verified) == 1
    assert ChannelHealth.objects.get(channel=lane(endpoint)).failures == 1
    assert not ChannelHealth.objects.filter(channel=lane(other), failures__gt=0).exists()


def test_retry_after_is_obeyed(receiver, endpoint, make_request):
    receiver.behaviour, receiver.headers = 429, {"Retry-After": "1800"}
    make_request()
    deliver(endpoint)
    wait = (of(endpoint).next_at - now()).total_seconds()
    assert 1700 < wait <= 1800
    assert ChannelHealth.objects.get(channel=lane(endpoint)).rests_until > now() + dt.timedelta(seconds=1700)
    make_request(target_name="b")
    outbox.route_facts()
    assert outbox.deliver_channel(lane(endpoint)) == 0
    assert receiver.calls == 1, "the whole endpoint is left alone"


def test_waits_are_read_as_seconds_and_as_dates(time_machine):
    time_machine.move_to(dt.datetime(2026, 3, 10, 9, tzinfo=dt.UTC), tick=False)
    assert read_wait("30") == 30
    assert read_wait("Tue, 10 Mar 2026 09:01:00 GMT") == 60
    assert read_wait("99999999") == 86_400
    assert (read_wait("soon"), read_wait("")) == (None, None)


def test_gone_ends_the_endpoint_and_its_owners_hear_of_it(receiver, endpoint, make_request, cpi):
    make_request()
    receiver.behaviour = 410
    deliver(endpoint)
    assert [services.switch_off_failing_endpoints() for _ in range(2)] == [1, 0]
    endpoint.refresh_from_db()
    assert endpoint.disabled_at is not None
    assert of(endpoint).state == "dead"
    mail.outbox.clear()
    outbox.route_facts()
    outbox.deliver_channel("email")
    [notice] = [message for message in mail.outbox if "webhook" in message.subject.lower()]
    assert (notice.to, "410" in notice.body) == (["cpi@example.com"], True)


def test_failing_for_days_ends_it_once(receiver, endpoint, make_request):
    make_request()
    receiver.behaviour = 500
    deliver(endpoint)
    WebhookEndpoint.objects.update(failing_since=now() - dt.timedelta(hours=73))
    deliver(endpoint)
    assert [services.switch_off_failing_endpoints() for _ in range(2)] == [1, 0]
    assert DomainEvent.objects.filter(type="webhook.disabled").count() == 1
    make_request(target_name="b")
    outbox.route_facts()
    assert Delivery.objects.filter(channel=lane(endpoint), fact__type="promotion.created").count() == 1, "hears no more"


def test_a_test_goes_to_this_endpoint_alone(receiver, endpoint, cpi):
    services.create_endpoint(tenant=endpoint.tenant, name="all", url=receiver.url, patterns=["*"], by=cpi)
    services.send_test(endpoint=endpoint, by=cpi)
    outbox.route_facts()
    assert [d.recipient for d in Delivery.objects.filter(fact__type="webhook.tested")] == [str(endpoint.pk)]


def test_connections_are_kept_for_a_batch(receiver, endpoint, make_request):
    for number in range(5):
        make_request(target_name=f"service-{number}")
    assert deliver(endpoint) == 5
    assert (receiver.calls, receiver.connections) == (5, 1)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1", "fec0::1", "198.18.0.1", "192.0.2.1",
    ],
)  # fmt: skip
def test_no_private_address_is_ever_called(address, settings):
    settings.WEBHOOK_NETWORKS = []
    assert not guard.is_public(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises((Forbidden, Unreachable)):
        guard.Line(f"https://{host}/")


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are(address):
    assert guard.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "https://user:pw@example.com/", "https:///x", "https://example.com:22/",
        "https://example.com:99999/", "javascript:alert(1)", "https://exa mple.com/", "https://exämple.com/",
    ],
)  # fmt: skip
def test_what_is_no_address_for_a_webhook_is_refused(url, settings, tenant, cpi):
    settings.WEBHOOK_NETWORKS = []
    with pytest.raises(InvalidInput) as refused:
        services.create_endpoint(tenant=tenant, name="x", url=url, patterns=["*"], by=cpi)
    assert list(refused.value.errors) == ["url"]


def test_a_name_that_leads_inside_is_refused_when_it_is_called(settings, receiver, endpoint, make_request):
    settings.WEBHOOK_NETWORKS = ["10.9.9.0/24"]
    WebhookEndpoint.objects.update(url=f"http://localhost:{receiver.port}/")
    make_request()
    assert deliver(endpoint) == 0
    assert (of(endpoint).state, receiver.calls) == ("dead", 0)
    assert "not on the public internet" in of(endpoint).last_error


def test_secrets_are_kept_encrypted_and_survive_a_new_site_key(endpoint, receiver, make_request, settings):
    assert receiver.secret.removeprefix("whsec_") not in endpoint.secret
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key of the site, long enough", [settings.SECRET_KEY]
    make_request()
    assert deliver(endpoint) == 1
    assert receiver.verified


def test_only_those_who_administer_the_tenant(tenant, devops, viewer, outsider):
    for user in (devops, viewer, outsider):
        with pytest.raises(NotAllowed):
            services.create_endpoint(tenant=tenant, name="x", url="https://e.com/", patterns=["*"], by=user)


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_after_the_answer_repeats_it_under_the_same_id(receiver, endpoint, make_request, settings):
    make_request()
    outbox.route_facts()
    database = settings.DATABASES["default"]
    url = (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )
    environment = os.environ | {
        "DATABASE_URL": url, "FAILPOINT": "after_webhook_answer:kill", "SECRET_KEY": settings.SECRET_KEY,
    }  # fmt: skip
    script = f"import django; django.setup(); from events import outbox; outbox.deliver_channel('{lane(endpoint)}')"
    killed = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False)
    assert killed.returncode == -9
    assert of(endpoint).state == "sending"
    Delivery.objects.filter(state="sending").update(lease_until=now() - dt.timedelta(seconds=1))
    assert deliver(endpoint) == 1
    first, second = receiver.ids
    assert first == second


def test_the_pages_show_the_secret_once_and_replay(browse, cpi, devops, receiver, tenant, make_request):
    page = browse(cpi)
    made = page.post(
        "/deliveries/webhooks/new/",
        {"tenant": tenant.slug, "name": "pipeline", "url": receiver.url, "patterns": "promotion.*", "form": "plain"},
    )
    assert made.status_code == 200
    assert b"whsec_" in made.content
    assert b"whsec_" not in page.get("/deliveries/webhooks/").content
    endpoint = WebhookEndpoint.objects.get()
    make_request()
    deliver(endpoint)
    assert receiver.calls == 1
    listed = page.get("/deliveries/")
    assert f"/deliveries/{of(endpoint).pk}/retry/".encode() in listed.content
    assert page.post(f"/deliveries/{of(endpoint).pk}/retry/", {"next": "/deliveries/"}).status_code == 303
    deliver(endpoint)
    assert receiver.calls == 2, "replayed"
    assert browse(devops).get("/deliveries/").status_code == 404
    assert browse(devops).post(f"/deliveries/{of(endpoint).pk}/retry/").status_code == 404


def test_an_endpoint_may_hear_cdevents(receiver, endpoint, make_request, cpi):
    services.change_endpoint(endpoint=endpoint, changes={"form": "cdevents", "patterns": ["*"]}, by=cpi)
    make_request()
    deliver(endpoint)
    assert receiver.forged == 0
    assert all(event["type"].startswith("dev.cdevents") for event in receiver.verified)
    assert [event["id"] for event in receiver.verified] == receiver.ids


def test_the_page_of_deliveries_names_the_endpoint_and_its_host(browse, cpi, endpoint, make_request):
    make_request()
    deliver(endpoint)
    page = browse(cpi).get("/deliveries/?q=pipeline").content.decode()
    assert "pipeline at 127.0.0.1" in page
    assert "webhook pipeline" in page
    assert browse(cpi).get(f"/deliveries/?channel={lane(endpoint)}").content.decode().count("pipeline at") == 1
    WebhookEndpoint.objects.all().delete()
    assert "deleted" in browse(cpi).get("/deliveries/").content.decode()
