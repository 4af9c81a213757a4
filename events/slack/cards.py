"""What a message in Slack shows: one for each thing, drawn anew from how it is now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from core.plugins import load_callable
from events.models import DomainEvent

LINES = 6


@dataclass(frozen=True, slots=True)
class Card:
    """Text for notifications and screen readers, and the blocks of the message."""

    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Click:
    """A button that was pressed or a form that was sent: what it is about, what it carries, where it came from."""

    action: str
    subject_id: str
    value: str
    trigger: str = ""
    place: str = ""
    slack_user: str = ""
    response_url: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def escape(text: str) -> str:
    """Plain text for Slack's markup: nobody is mentioned and nothing linked by what people typed."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": _short(text, 150), "emoji": False}}


def section(text: str, *fields: tuple[str, str]) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "section"}
    if text:
        block["text"] = {"type": "mrkdwn", "text": _short(text, 3000)}
    if fields:
        block["fields"] = [
            {"type": "mrkdwn", "text": _short(f"*{label}*\n{escape(value)}", 2000)} for label, value in fields[:10]
        ]
    return block


def context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": _short(text, 2000)}]}


def open_button(address: str) -> dict[str, Any]:
    return {"type": "button", "action_id": "open", "text": {"type": "plain_text", "text": "Open"}, "url": address}


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def card_about(fact: DomainEvent) -> Card:
    """How the app of the fact's subject draws it, else its last facts."""
    path = settings.SLACK_CARDS.get(fact.subject_type)
    if path:
        draw: Callable[[DomainEvent], Card] = load_callable(path)
        return draw(fact)
    facts = list(DomainEvent.objects.about(fact.subject_type, fact.subject_id).order_by("-sequence")[:LINES])
    lines = [
        f"{each.occurred_at:%Y-%m-%d %H:%M} UTC  {each.type.replace('.', ' ').replace('_', ' ')}, {escape(each.actor_label)}"
        for each in reversed(facts)
    ]
    return Card(f"{fact.subject_label}: {fact.type}", [header(fact.subject_label), section("\n".join(lines))])
