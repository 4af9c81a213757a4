"""Tells Slack: one message for each thing and channel, updated in place, never two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from core.failpoints import failpoint
from core.sql import run
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
        with self.session() as send:
            return send(delivery)

    @contextmanager
    def session(self) -> Iterator[Callable[[Delivery], dict[str, Any]]]:
        """Looks up at once what was claimed together."""
        teller = Teller()
        try:
            yield teller
        finally:
            teller.forget_untold()


Thing = tuple[str, str, str]


class Teller:
    """Posts and updates messages; whichever of them it is the first to tell of is noted before Slack hears of it."""

    def __init__(self) -> None:
        self.messages: dict[Thing, SlackMessage] = {}
        self.untold: set[Thing] = set()
        self.newest: dict[tuple[str, str], DomainEvent] = {}
        self.histories: dict[str, list[dict[str, Any]]] = {}

    def expect(self, deliveries: Sequence[Delivery]) -> None:
        """Note the messages that there will be, and find the newest fact about each thing."""
        for delivery in deliveries:
            self._expect_newest(delivery.fact)
        about = {(fact.subject_type, fact.subject_id) for fact in (delivery.fact for delivery in deliveries)}
        heads = DomainEvent.objects.filter(
            subject_type__in={kind for kind, _ in about}, subject_id__in={thing for _, thing in about}
        )
        for fact in heads.order_by("subject_type", "subject_id", "-sequence").distinct("subject_type", "subject_id"):
            self._expect_newest(fact)
        things = {_thing_of(delivery) for delivery in deliveries} - self.messages.keys()
        made = run(_NOTE, [list(column) for column in zip(*sorted(things), strict=True)]) if things else []
        self.untold |= set(made)
        known = SlackMessage.objects.filter(
            channel__in={thing[0] for thing in things}, subject_id__in={thing[2] for thing in things}
        )
        self.messages |= {(each.channel, each.subject_type, each.subject_id): each for each in known}

    def _expect_newest(self, fact: DomainEvent) -> None:
        key = (fact.subject_type, fact.subject_id)
        if key not in self.newest or self.newest[key].sequence < fact.sequence:
            self.newest[key] = fact

    def __call__(self, delivery: Delivery) -> dict[str, Any]:
        """Post or update the message so that it shows at least this fact; a later one may have brought it there."""
        fact, thing = delivery.fact, _thing_of(delivery)
        if thing not in self.messages or (fact.subject_type, fact.subject_id) not in self.newest:
            self.expect([delivery])
        message = self.messages[thing]
        if message.ts and message.shows >= fact.sequence:
            return {"skipped": "the message shows it already", "ts": message.ts}
        newest = self.newest[fact.subject_type, fact.subject_id]
        card = card_about(newest)
        content = {"text": card.text, "blocks": card.blocks}
        if not message.ts and thing not in self.untold:
            self._find_lost(message)
        self.untold.discard(thing)
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
        run(_REMEMBER, [message.ts, message.place, message.shows, message.pk])
        return {"ts": message.ts, "channel": message.place}

    def _find_lost(self, message: SlackMessage) -> None:
        """A worker that died after Slack took the message knew its id; Slack still does."""
        if message.channel not in self.histories:
            answer = call("conversations.history", channel=message.channel, limit=LOOKED_AT, include_all_metadata=True)
            place = str(answer.get("channel") or message.channel)
            self.histories[message.channel] = [{**posted, "place": place} for posted in answer.get("messages", [])]
        for posted in self.histories[message.channel]:
            metadata = posted.get("metadata") or {}
            if metadata.get("event_payload", {}).get("about") == _key(message):
                message.ts, message.place = str(posted["ts"]), str(posted["place"])
                return

    def forget_untold(self) -> None:
        """Messages that were noted and never tried, so that nobody looks for them in Slack."""
        unsent = [self.messages[thing].pk for thing in self.untold if thing in self.messages]
        if unsent:
            SlackMessage.objects.filter(pk__in=unsent, ts="").delete()


_NOTE = (
    "INSERT INTO events_slackmessage (channel, subject_type, subject_id, ts, place, shows)"
    " SELECT thing.*, '', '', 0 FROM unnest(%s::text[], %s::text[], %s::text[]) AS thing"
    " ON CONFLICT DO NOTHING RETURNING channel, subject_type, subject_id"
)
_REMEMBER = "UPDATE events_slackmessage SET ts = %s, place = %s, shows = %s WHERE id = %s"


def _thing_of(delivery: Delivery) -> Thing:
    return delivery.recipient, delivery.fact.subject_type, delivery.fact.subject_id


def _key(message: SlackMessage) -> str:
    return f"{message.subject_type}:{message.subject_id}"
