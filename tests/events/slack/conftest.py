"""A Slack beside each test, whose clicks reach the app through Django's client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from core.clock import now
from events import channels, outbox
from events.models import ChannelHealth, Delivery, SlackAccount, SlackCall
from events.slack.calls import perform_call
from tests.fakes.slack import TEAM, Slack

SECRET = "the signing secret of the app"


@pytest.fixture
def slack(settings, db) -> Iterator[Slack]:
    client = Client()

    def post(where: str, body: bytes, headers: dict[str, str]) -> int:
        kind = headers["Content-Type"]
        given = {name: value for name, value in headers.items() if name != "Content-Type"}
        return client.post(f"/webhooks/slack/{where}", body, content_type=kind, headers=given).status_code

    with Slack("xoxb-token", SECRET, "") as slack:
        slack.post_to_app = post
        settings.SLACK_TOKEN, settings.SLACK_API = "xoxb-token", f"{slack.url}api/"
        settings.SLACK_SIGNING_SECRETS, settings.SLACK_CHANNEL = [SECRET], "#releases"
        settings.SUBSCRIBERS = settings.SUBSCRIBERS | {
            "slack": {
                "facts": ("*",), "but_not": ("notices.*", "delivery.*", "webhook.*"), "alone": True, "attempts": 5,
                "notifier": "events.notifiers.slack.SlackNotifier",
            }
        }  # fmt: skip
        channels.channels.cache_clear()
        yield slack
        channels.channels.cache_clear()


@pytest.fixture
def linked(cpi, devops, cpi_admin) -> None:
    """Jean is the CPI, Pierre the DevOps engineer; Claire and Victor are strangers yet."""
    SlackAccount.objects.create(user=cpi, team=TEAM, slack_user="U0JEAN")
    SlackAccount.objects.create(user=devops, team=TEAM, slack_user="U0PIERRE")


def deliver() -> int:
    """Whatever waits for Slack, now."""
    outbox.route_facts()
    Delivery.objects.filter(channel="slack", state="queued").update(next_at=now())
    ChannelHealth.objects.update(rests_until=None)
    return outbox.deliver_channel("slack")


def work() -> None:
    """As the worker does once the doorbell rings."""
    for pk in SlackCall.objects.filter(done_at=None).values_list("pk", flat=True):
        perform_call(pk)


def only_message(slack: Slack) -> dict:
    [message] = slack.messages.values()
    return message
