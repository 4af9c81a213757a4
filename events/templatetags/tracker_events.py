"""Badges and words of events."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template

from core.looks import Look
from events.models import Event
from events.tracker.pages.looks import ENVIRONMENTS, IMPACTS, PRIORITIES, STATUSES, TYPES, tone_of

register = template.Library()


def _badge(look: Look) -> dict[str, Any]:
    return {"label": look.label, "tone": look.tone, "live": look.live}


@register.inclusion_tag("components/badge.html")
def event_status(status: int) -> dict[str, Any]:
    """The status as dot and word."""
    return _badge(STATUSES[status])


@register.inclusion_tag("components/badge.html")
def event_priority(priority: int) -> dict[str, Any]:
    """The priority as dot and word."""
    return _badge(PRIORITIES[priority])


@register.filter
def event_type(kind: int) -> Look:
    return TYPES[kind]


@register.filter
def event_tone(event: Event) -> str:
    return tone_of(event)


@register.filter
def environment_name(number: int) -> str:
    """Empty for none."""
    return ENVIRONMENTS[number] if number else ""


@register.filter
def impact_name(number: int) -> str:
    return IMPACTS[number]


@register.filter
def spell_time(length: dt.timedelta | None) -> str:
    """A length of time with its two largest units, such as "1 h 5 min"."""
    if length is None:
        return ""
    seconds = int(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    for size, unit, smaller, name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit}" + (f" {rest} {name}" if rest else "")
    return ""
