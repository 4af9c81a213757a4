"""Tells people in Slack, each alone: those who are linked there and asked for this kind of notice."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings

from accounts.models import User
from core.failpoints import failpoint
from events.models import Delivery, DomainEvent, Mode, NoticeChannel, NoticePreference
from events.notifiers.base import Words, notice_about
from events.notifiers.digest import DIGEST_FACT, is_digest_elsewhere
from events.notifiers.filters import remembered
from events.preferences import find_readers, hold
from events.selectors import may_know
from events.slack.cards import context, escape, open_button, section
from events.slack.client import call

EVENT_TYPE = "stagepass_notice"
MOST_LINES = 20


class SlackPeopleNotifier:
    """Writes to one person for each fact; a repetition after a crash carries the same fact in its metadata."""

    def recipients(self, fact: DomainEvent) -> list[str]:
        """Public ids of the accounts to tell."""
        kind = notice_about(fact)
        if kind is None or is_digest_elsewhere(fact, NoticeChannel.SLACK):
            return []
        if fact.type == DIGEST_FACT:
            return [str(person.public_id) for person in kind.told(fact).people if "channel" in fact.data]
        wanting = {user for wanted, user in remembered(("slack people",), _who_wants_what) if wanted == kind.name}
        if not wanting:
            return []
        return sorted({str(person.public_id) for person in kind.told(fact).people if person.pk in wanting})

    def names(self, recipients: Collection[str]) -> dict[str, str]:
        """The addresses of their accounts."""
        found = User.objects.filter(public_id__in=recipients).values_list("public_id", "email")
        return {str(public_id): email for public_id, email in found}

    def send(self, delivery: Delivery) -> dict[str, Any]:
        """Write to the person, hold it back for a digest, or leave it; the receipt says which and why."""
        fact, kind = delivery.fact, notice_about(delivery.fact)
        people = User.objects.select_related("notice_settings", "slack_account")
        user = people.filter(public_id=delivery.recipient, is_active=True, slack_account__isnull=False).first()
        if user is None or kind is None:
            return {"skipped": "nobody is linked there any more"}
        if not may_know(user, fact):
            return {"skipped": "may not see it any more"}
        if not kind.still_matters(fact):
            return {"skipped": "it was settled meanwhile"}
        verdict = find_readers([user], NoticeChannel.SLACK, [fact])[user.pk].judge(fact, kind.name)
        if verdict.skip:
            return {"skipped": verdict.skip}
        if verdict.hold_until:
            return hold(user, fact, verdict.hold_until, NoticeChannel.SLACK)
        words = kind.words(fact)
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"fact": str(fact.id)}}
        answer = call(
            "chat.postMessage", channel=user.slack_account.slack_user, text=words.subject, blocks=_blocks(words),
            metadata=metadata,
        )  # fmt: skip
        failpoint("after_slack_post")
        return {"ts": str(answer["ts"]), "channel": str(answer["channel"])}


def _who_wants_what() -> list[tuple[str, int]]:
    linked = NoticePreference.objects.filter(channel=NoticeChannel.SLACK, user__slack_account__isnull=False)
    return list(linked.exclude(mode=Mode.NEVER).order_by().values_list("kind", "user"))


def _blocks(words: Words) -> list[dict[str, Any]]:
    """The line, what the mail would say beneath it or the lines of a digest, and the way to the page."""
    lines = [escape(str(line)) for line in words.context.get("lines", [])[:MOST_LINES]]
    lines += [f"<{item.url}|{escape(item.subject)}>" for item in words.context.get("items", [])[:MOST_LINES]]
    blocks = [section(f"*{escape(words.subject)}*")]
    if lines:
        blocks.append(section("\n".join(lines)))
    blocks.append({"type": "actions", "block_id": "notice:", "elements": [open_button(words.url)]})
    return [*blocks, context(f"Choose what you hear of: {settings.SITE_URL}/profile/#notices")]
