"""How a state or a step looks on a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """The word people read, its tone (a colour family of the stylesheet) and its icon."""

    label: str
    tone: str
    shape: str = ""
    live: bool = False
