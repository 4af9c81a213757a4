"""Which tickets a text names. Tickets lie above the fact log, so they are asked through a callable of the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings

from core.plugins import load_callable

MAX_TEXT = 20_000
MAX_FOUND = 100


@dataclass(frozen=True, slots=True)
class Mentions:
    """The keys of tickets that exist, and what looks like a key of a project that exists but has no ticket."""

    tickets: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


Resolver = Callable[[int, Sequence[str]], list[Mentions]]


def find_mentions(tenant_id: int, texts: Sequence[str]) -> list[Mentions]:
    """For each text the tickets of the tenant that it names; at most 100 each, in a text of at most 20,000 characters."""
    path: str = settings.TICKET_MENTIONS
    if not path:
        return [Mentions() for _ in texts]
    resolver: Resolver = load_callable(path)
    return [
        Mentions(found.tickets[:MAX_FOUND], found.unknown[:MAX_FOUND])
        for found in resolver(tenant_id, [text[:MAX_TEXT] for text in texts])
    ]
