"""What every page draws with: icons, times, people, ids, navigation and small charts."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any

from django import template
from django.conf import settings
from django.template.context import RequestContext
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core import charts
from core.clock import now
from core.markdown import render_markdown

register = template.Library()

AVATAR_TONES = ("blue", "green", "violet", "amber", "red", "grey")
TOAST_LOOKS = {
    "success": ("green", "circle-check"),
    "error": ("red", "circle-alert"),
    "warning": ("amber", "triangle-alert"),
    "info": ("blue", "info"),
    "debug": ("grey", "info"),
}


@register.simple_tag
def icon(name: str, look: str = "", label: str = "") -> SafeString:
    """One shape of the sprite; `look` is a modifier such as "s", "l" or "xl"; with `label` it speaks for itself."""
    css = f"icon icon--{look}" if look else "icon"
    href = f"{static('icons/sprite.svg')}#{name}"
    if label:
        return format_html('<svg class="{}" role="img" aria-label="{}"><use href="{}"/></svg>', css, label, href)
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}"/></svg>', css, href)


@register.simple_tag
def when(moment: dt.datetime | None, missing: str = "never") -> SafeString:
    """A relative time whose exact UTC time shows on hover."""
    if moment is None:
        return format_html('<span class="faint">{}</span>', missing)
    utc = moment.astimezone(dt.UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        utc.isoformat(timespec="seconds").replace("+00:00", "Z"),
        f"{utc:%Y-%m-%d %H:%M:%S} UTC",
        relative_time(moment),
    )


@register.filter
def relative_time(moment: dt.datetime) -> str:
    """Such as "3 minutes ago" or "in 2 days"."""
    seconds = (now() - moment).total_seconds()
    words = spell_duration(abs(seconds))
    if words == "moments":
        return "just now" if seconds >= 0 else "in a moment"
    return f"{words} ago" if seconds >= 0 else f"in {words}"


@register.filter
def spell_duration(seconds: float) -> str:
    """The largest unit that fits, such as "3 minutes"."""
    for size, unit in ((31_536_000, "year"), (2_592_000, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "moments"


@register.inclusion_tag("components/avatar.html")
def avatar(person: Any, size: str = "") -> dict[str, str]:
    """Initials on a colour of the person's own; `person` is a user or the text of an actor."""
    name = person.get_full_name() if hasattr(person, "get_full_name") else str(person)
    words = name.partition("@")[0].replace(".", " ").replace("_", " ").split() or ["?"]
    initials = (words[0][:1] + (words[-1][:1] if len(words) > 1 else "")).upper()
    tone = AVATAR_TONES[hashlib.sha256(name.encode()).digest()[0] % len(AVATAR_TONES)]
    return {"name": name, "initials": initials, "tone": tone, "size": size}


@register.inclusion_tag("components/copyable.html")
def copyable(value: str, label: str = "", short: int = 0) -> dict[str, Any]:
    """An id in monospace with a button that copies the whole of it; `short` shows only the first characters."""
    return {"value": value, "shown": value[:short] if short else value, "label": label or value}


@register.inclusion_tag("components/navigation.html", takes_context=True)
def navigation(context: RequestContext) -> dict[str, Any]:
    """The entries of the NAVIGATION setting whose address exists; an app that is not installed adds none."""
    path = context["request"].path if "request" in context else ""
    items = []
    for entry in settings.NAVIGATION:
        try:
            address = reverse(entry["url_name"])
        except NoReverseMatch:
            continue
        current = path == address if address == "/" else path.startswith(address)
        items.append({**entry, "address": address, "current": current})
    return {"items": items}


@register.inclusion_tag("components/toasts.html", takes_context=True)
def toasts(context: RequestContext) -> dict[str, Any]:
    """The messages for this person, as toasts."""
    shown = []
    for message in context.get("messages") or []:
        tone, shape = TOAST_LOOKS.get(message.level_tag, TOAST_LOOKS["info"])
        shown.append({"text": str(message), "tone": tone, "shape": shape})
    return {"toasts": shown}


@register.simple_tag(takes_context=True)
def theme(context: RequestContext) -> str:
    """The theme this browser chose: light, dark or empty for the system's."""
    request = context.get("request")
    chosen = request.COOKIES.get("theme", "") if request is not None else ""
    return chosen if chosen in {"light", "dark"} else ""


@register.simple_tag
def feature(name: str) -> Any:
    """A setting that pages may know of; only those listed here."""
    return getattr(settings, {"live": "LIVE_STREAM_URL", "demo": "DEMO"}[name], "")


@register.inclusion_tag("components/sparkline.html")
def sparkline(values: Sequence[float], label: str) -> dict[str, Any]:
    """A line over equal steps, oldest first."""
    return charts.line(values) | {"label": label}


@register.inclusion_tag("components/bars.html")
def bars(values: Sequence[float], label: str, tall: bool = False) -> dict[str, Any]:
    """Bars over equal steps, oldest first."""
    return {"bars": charts.bars(values), "label": label, "tall": tall}


@register.filter
def markdown(text: str) -> SafeString:
    """CommonMark as safe HTML."""
    return render_markdown(text)
