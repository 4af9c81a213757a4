"""Badges for the states and impacts of promotion requests."""

from __future__ import annotations

from typing import Any

from django import template

from promotions.pages.looks import GLASS, IMPACTS, STATES, Look

register = template.Library()


@register.inclusion_tag("components/badge.html")
def state_badge(state: str) -> dict[str, Any]:
    """The state as dot and word."""
    return _badge(STATES.get(state, Look(state, "grey")))


@register.inclusion_tag("components/badge.html")
def glass_badge(review: str) -> dict[str, Any]:
    """That the glass was broken, and how far someone else has looked at it."""
    return _badge(GLASS.get(review, Look(review, "grey")))


@register.inclusion_tag("components/badge.html")
def impact_badge(impact: str) -> dict[str, Any]:
    """The impact as dot and word."""
    return _badge(IMPACTS.get(impact, Look(impact, "grey")))


def _badge(look: Look) -> dict[str, Any]:
    return {"label": look.label, "tone": look.tone, "live": look.live}


@register.filter
def spell_version(version: str) -> str:
    """A version as people write it beside a name: v2.1.0."""
    return f"v{version.removeprefix('v')}" if version[:1].isdigit() or version[:1] == "v" else version
