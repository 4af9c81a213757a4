"""Preferences decide what is mailed when; what is held back comes as one mail, once."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from core.errors import InvalidInput
from events import notices, outbox
from events.models import Delivery, DomainEvent, HeldNotice, NoticePreference, Subscription
from events.notifiers.base import notice_kinds
from events.preferences import is_muted, unsubscribe_token
from events.tasks import sweep_digests
from promotions.models import PromotionRequest
from promotions.services import approve_request, remind_approvers
from promotions.services.transition import load
from tests.api import call_as

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _noon(time_machine):
    time_machine.move_to(NOON, tick=False)


def prefer(user, *, quiet=(None, None), digest="08:00", **modes) -> None:
    notices.set_preferences(
        modes=modes,
        quiet_from=quiet[0] and dt.time.fromisoformat(quiet[0]),
        quiet_until=quiet[1] and dt.time.fromisoformat(quiet[1]),
        digest_at=dt.time.fromisoformat(digest),
        by=user,
    )


def mailed() -> list[tuple[str, str]]:
    """Who was sent what since the last call."""
    mail.outbox.clear()
    outbox.route_facts()
    outbox.deliver_channel("email", limit=1000)
    return [(message.to[0].partition("@")[0], message.subject) for message in mail.outbox]


def test_twenty_facts_come_as_one_mail_at_the_time_of_the_digest(cpi, make_request, time_machine):
    prefer(cpi, digest="17:00", request_created="digest")
    for number in range(20):
        make_request(target_name=f"api-{number}")
    assert mailed() == []
    assert set(HeldNotice.objects.values_list("due_at", flat=True)) == {NOON.replace(hour=17)}
    sweep_digests()
    assert mailed() == []

    time_machine.move_to(NOON.replace(hour=17), tick=False)
    sweep_digests()
    sweep_digests()
    assert mailed() == [("cpi", "20 things happened while you were away")]
    message = mail.outbox[0]
    assert message.body.count("/requests/PR-2026-") == 20
    assert "api-19" in str(message.alternatives[0][0])
    assert "List-Unsubscribe" in message.extra_headers
    assert not HeldNotice.objects.exists()
    assert mailed() == []


def test_never_means_never_and_muting_is_for_one_thing(cpi, other_cpi, make_request):
    prefer(cpi, request_created="never")
    first = make_request(target_name="first")
    assert [who for who, _ in mailed()] == ["other_cpi"]
    assert Delivery.objects.get(recipient=cpi.email, channel="email").receipt == {"skipped": "does not want this kind"}
    notices.mute(subject_type="promotion", subject_id=first.number, tenant=None, by=other_cpi)
    notices.mute(subject_type="promotion", subject_id=first.number, tenant=None, by=other_cpi)
    PromotionRequest.objects.filter(pk=first.pk).update(remind_at=NOON)
    remind_approvers(promotion=load(first))
    assert mailed() == [("cpi", f"[{first.number}] first v2.1.0: still waiting for approval")]
    notices.unmute(subject_type="promotion", subject_id=first.number, tenant=None, by=other_cpi)
    assert not other_cpi.muted_subjects.exists()


def test_quiet_hours_hold_mail_back_until_they_end_in_the_persons_own_zone(cpi, other_cpi, make_request, time_machine):
    cpi.time_zone = "America/New_York"
    cpi.save()
    prefer(cpi, quiet=("20:00", "09:00"))
    make_request(target_name="one")
    make_request(target_name="two")
    assert {who for who, _ in mailed()} == {"other_cpi"}
    time_machine.move_to(NOON.replace(hour=13), tick=False)  # 9 in the morning in New York
    sweep_digests()
    assert mailed() == [("cpi", "2 things happened while you were away")]
    make_request(target_name="three")
    assert {who for who, _ in mailed()} == {"cpi", "other_cpi"}


def test_a_held_back_reminder_is_dropped_once_somebody_decided(cpi, other_cpi, pending, target, time_machine):
    prefer(cpi, quiet=("08:00", "16:00"), request_created="never")
    PromotionRequest.objects.update(remind_at=NOON)
    remind_approvers(promotion=load(pending))
    mailed()
    assert HeldNotice.objects.filter(user=cpi).count() == 1
    approve_request(promotion=load(pending), by=other_cpi)
    time_machine.move_to(NOON.replace(hour=16), tick=False)
    sweep_digests()
    assert "cpi" not in [who for who, _ in mailed()]
    assert Delivery.objects.get(fact__type="notices.digested").receipt == {"skipped": "it was settled meanwhile"}


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_make_one_digest(cpi, make_request, time_machine):
    prefer(cpi, request_created="digest")
    for number in range(5):
        make_request(target_name=f"api-{number}")
    mailed()
    time_machine.move_to(NOON + dt.timedelta(days=1), tick=False)
    gate = threading.Barrier(4)

    def sweep() -> None:
        gate.wait()
        sweep_digests()
        connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    digests = DomainEvent.objects.filter(type="notices.digested")
    assert sorted(sequence for digest in digests for sequence in digest.data["facts"]) == [1, 2, 3, 4, 5]
    assert digests.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"modes": {"request_created": "sometimes"}}, "request_created"),
        ({"modes": {"no_such_kind": "now"}}, "no_such_kind"),
        ({"modes": {"digest": "digest"}}, "digest"),
        ({"quiet_from": dt.time(20)}, "quiet_until"),
    ],
)
def test_preferences_that_make_no_sense_are_refused(cpi, changes, field):
    sensible = {"modes": {}, "quiet_from": None, "quiet_until": None, "digest_at": dt.time(8)}
    with pytest.raises(InvalidInput) as refusal:
        notices.set_preferences(by=cpi, **(sensible | changes))
    assert refusal.value.field == field
    assert not NoticePreference.objects.exists()


@pytest.fixture
def browser(cpi) -> Client:
    client = Client()
    client.force_login(cpi, backend="django.contrib.auth.backends.ModelBackend")
    return client


def typed(**changes: str) -> dict[str, str]:
    return dict.fromkeys(notice_kinds(), "now") | {"digest_at": "07:30"} | changes


def test_the_form_keeps_choices_and_gives_back_what_it_refuses(browser, cpi):
    answer = browser.post(
        reverse("preferences"), typed(request_created="digest", quiet_from="20:00", quiet_until="07:00")
    )
    assert answer.status_code == 303
    assert NoticePreference.objects.get(user=cpi, kind="request_created").mode == "digest"
    refused = browser.post(reverse("preferences"), typed(request_created="never", quiet_from="21:15"))
    assert refused.status_code == 422
    page = refused.content.decode()
    assert "Say both when quiet hours begin" in page
    assert 'value="21:15"' in page
    assert NoticePreference.objects.get(user=cpi, kind="request_created").mode == "digest"


def test_a_link_in_a_mail_asks_by_get_and_leaves_by_post(cpi):
    client = Client(enforce_csrf_checks=True)
    address = reverse("unsubscribe", args=[unsubscribe_token(cpi, "deployment_started")])
    for method in (client.get, client.head):
        assert method(address).status_code == 200
    assert not NoticePreference.objects.exists()
    assert client.post(address, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert NoticePreference.objects.get(user=cpi).mode == "never"
    assert client.post(reverse("unsubscribe", args=["made-up"])).status_code == 404


def test_the_button_mutes_and_comes_back(browser, cpi):
    answer = browser.post(reverse("mute"), {"subject_type": "promotion", "subject_id": "PR-1", "next": "/requests/"})
    assert (answer.status_code, answer["Location"]) == (303, "/requests/")
    assert cpi.muted_subjects.count() == 1
    away = browser.post(
        reverse("mute"),
        {"subject_type": "promotion", "subject_id": "PR-1", "muted": "no", "next": "https://evil.example"},
    )
    assert away["Location"] == "/"
    assert not cpi.muted_subjects.exists()


def test_a_link_in_a_mail_can_mute_the_thing_instead(cpi):
    client = Client(enforce_csrf_checks=True)
    address = reverse("unsubscribe", args=[unsubscribe_token(cpi, "ticket_gate", ("ticket", "TICKET-1"))])
    assert "Mute TICKET-1" in client.get(address).content.decode()
    assert client.post(address, {"what": "thing"}).status_code == 200
    assert is_muted(cpi, "ticket", "TICKET-1")
    assert not NoticePreference.objects.exists()


def test_muting_by_rest_is_the_same(cpi):
    mine = call_as(cpi)
    for _ in range(2):
        assert mine.call("PUT", "/v1/me/muted/ticket/TICKET-1").status_code == 204
    assert is_muted(cpi, "ticket", "TICKET-1")
    assert [(each["type"], each["id"]) for each in mine.get("/v1/me/muted").json()] == [("ticket", "TICKET-1")]
    assert mine.call("PUT", "/v1/me/muted/worker/w-1").status_code == 404
    for _ in range(2):
        assert mine.call("DELETE", "/v1/me/muted/ticket/TICKET-1").status_code == 204
    assert mine.get("/v1/me/muted").json() == []


def test_a_role_that_is_subscribed_hears_of_it_as_far_as_it_may(make_request, devops, viewer, other_tenant, make_user):
    make_user("elsewhere", other_tenant, Role.VIEWER)
    Subscription.objects.create(channel="role", target="viewer", patterns=["promotion.created"])
    make_request()
    assert "viewer" in {to for to, _ in mailed()}
    assert not Delivery.objects.filter(recipient="elsewhere@example.com").exists()
