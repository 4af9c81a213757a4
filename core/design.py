"""Examples for the page of the design system: every component in every state."""

from __future__ import annotations

from typing import Any


def examples() -> dict[str, Any]:
    return {}
