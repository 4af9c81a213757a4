"""What is written in Slack to one person alone: only to those who are linked and asked for it, under the rules of mails."""

from __future__ import annotations

import datetime as dt

import pytest

from accounts.roles import Role
from accounts.services import grant_role
from core.clock import now
from events import channels, notices, outbox
from events.deliveries import name_recipients
from events.models import Delivery, DomainEvent, HeldNotice
from events.tasks import sweep_digests
from promotions.services import approve_request

HERE = "slack-people"


@pytest.fixture(autouse=True)
def _channel(slack, settings):
    settings.SLACK_CHANNEL = ""
    entry = {"facts": ("*",), "notifier": "events.notifiers.slack_people.SlackPeopleNotifier", "alone": True}
    settings.SUBSCRIBERS = settings.SUBSCRIBERS | {HERE: entry}
    channels.channels.cache_clear()


def choose(user, **slack: str) -> None:
    notices.set_preferences(
        modes={}, slack=slack, quiet_from=None, quiet_until=None, digest_at=dt.time(8), by=user
    )  # fmt: skip


def deliver() -> list[str]:
    outbox.route_facts()
    outbox.deliver_channel(HERE)
    return list(Delivery.objects.filter(channel=HERE).values_list("state", flat=True))


def test_nobody_is_written_to_who_did_not_ask(slack, linked, pending):
    assert deliver() == []
    assert not slack.messages


def test_whoever_asked_gets_one_message_with_the_way_to_the_page(slack, linked, cpi, cpi_admin, make_request):
    choose(cpi, request_created="now")
    choose(cpi_admin, request_created="now")  # not linked: nobody knows where
    promotion = make_request()
    assert deliver() == ["done"]
    [message] = slack.messages.values()
    assert (message["channel"], promotion.number in message["text"]) == ("D0JEAN", True)
    assert message["blocks"][-2]["elements"][0]["url"].endswith(f"/requests/{promotion.number}/")
    fact = DomainEvent.objects.get(type="promotion.created")
    assert message["metadata"]["event_payload"] == {"fact": str(fact.id)}
    [delivery] = Delivery.objects.filter(channel=HERE)
    assert name_recipients([delivery]) == {delivery.pk: (HERE, cpi.email)}


@pytest.mark.parametrize("change", ["muted", "never", "unlinked", "moved"])
def test_what_changed_until_it_is_sent_counts(slack, linked, cpi, make_request, change, other_tenant):
    choose(cpi, request_created="now")
    promotion = make_request()
    outbox.route_facts()
    if change == "muted":
        notices.mute(subject_type="promotion", subject_id=promotion.number, tenant=None, by=cpi)
    elif change == "never":
        choose(cpi, request_created="never")
    elif change == "unlinked":
        cpi.slack_account.delete()
    else:
        cpi.memberships.all().delete()
        cpi.groups.clear()
        grant_role(user=cpi, tenant=other_tenant, role=Role.VIEWER)
    outbox.deliver_channel(HERE)
    assert "skipped" in Delivery.objects.get(channel=HERE).receipt
    assert not slack.messages


def test_a_digest_comes_there_and_not_as_a_mail(slack, linked, cpi, make_request, mailoutbox):
    choose(cpi, request_created="digest")
    for name in "ab":
        make_request(target_name=name)
    deliver()
    assert not slack.messages
    assert set(HeldNotice.objects.values_list("channel", flat=True)) == {"slack"}
    HeldNotice.objects.update(due_at=now())
    sweep_digests()
    sweep_digests()
    deliver()
    outbox.deliver_channel("email")
    [message] = slack.messages.values()
    assert "2 things happened" in message["text"]
    digest = DomainEvent.objects.get(type="notices.digested")
    assert not Delivery.objects.filter(fact=digest, channel="email").exists()


def test_a_slack_that_is_down_is_tried_again(slack, linked, cpi, devops, pending):
    choose(devops, request_approved="now")
    approve_request(promotion=pending, by=cpi)
    slack.misbehave("status", status=503)
    assert deliver() == ["queued"]
    Delivery.objects.filter(channel=HERE).update(next_at=now())
    assert deliver() == ["done"]
    assert len(slack.messages) == 1
