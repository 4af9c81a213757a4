"""Tells Slack: one message for each thing and channel, updated in place, never two of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from core.failpoints import failpoint
from events.models import Delivery, DomainEvent, SlackMessage, Subscription
from events.notifiers.filters import subscribed
from events.slack.cards import card_about
from events.slack.client import SlackGone, call

EVENT_TYPE = "stagepass"
LOOKED_AT = 100


class SlackNotifier:
    """Channels that hear of a fact: the one of the settings for requests, and those that subscribed."""

    def recipients(self, fact: DomainEvent) -> list[str]:
        if not fact.audience_capability:
            return []
        found = subscribed(fact, Subscription.Channel.SLACK)
        if settings.SLACK_CHANNEL and fact.subject_type in settings.SLACK_CARDS:
            found.add(settings.SLACK_CHANNEL)
        return sorted(found)

    def send(self, delivery: Delivery) -> dict[str, Any]:
        """Post or update the message so that it shows at least this fact; a later one may have brought it there."""
        fact = delivery.fact
        message, made = SlackMessage.objects.get_or_create(
            channel=delivery.recipient, subject_type=fact.subject_type, subject_id=fact.subject_id
        )
        if message.ts and message.shows >= fact.sequence:
            return {"skipped": "the message shows it already", "ts": message.ts}
        about = DomainEvent.objects.about(fact.subject_type, fact.subject_id)
        newest = about.order_by("-sequence").first() or fact
        card = card_about(newest)
        content = {"text": card.text, "blocks": card.blocks}
        if not message.ts and not made:
            _find_lost(message)
        if message.ts:
            try:
                call("chat.update", channel=message.place, ts=message.ts, **content)
            except SlackGone:  # someone deleted it
                message.ts = ""
        if not message.ts:
            metadata = {"event_type": EVENT_TYPE, "event_payload": {"about": _key(message)}}
            answer = call("chat.postMessage", channel=message.channel, metadata=metadata, **content)
            failpoint("after_slack_post")
            message.ts, message.place = str(answer["ts"]), str(answer["channel"])
        message.shows = newest.sequence
        message.save(update_fields=["ts", "place", "shows"])
        return {"ts": message.ts, "channel": message.place}


def _key(message: SlackMessage) -> str:
    return f"{message.subject_type}:{message.subject_id}"


def _find_lost(message: SlackMessage) -> None:
    """A worker that died after Slack took the message knew its id; Slack still does."""
    answer = call("conversations.history", channel=message.channel, limit=LOOKED_AT, include_all_metadata=True)
    for posted in answer.get("messages", []):
        metadata = posted.get("metadata") or {}
        if metadata.get("event_payload", {}).get("about") == _key(message):
            message.ts, message.place = str(posted["ts"]), str(answer.get("channel") or message.channel)
            return
