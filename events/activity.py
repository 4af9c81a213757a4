"""Reads for the activity page: facts a person may see, as sentences, narrowed as its URL says."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import F, QuerySet
from django.http import QueryDict
from django.urls import NoReverseMatch, reverse
from redis.exceptions import RedisError

from accounts.models import User
from core.clock import now
from core.search import prefix_query
from events.models import DomainEvent
from events.models.facts import FACT_TEXT
from events.selectors import find_chain_break
from events.services import GENESIS_HASH

# Where a fact's subject has its page: kind of subject to (URL name, the last part of a tone).
PAGES = {"promotion": "request", "ticket": "ticket", "event": "event"}
TONES = {
    "approved": ("green", "check"), "succeeded": ("green", "circle-check"), "rejected": ("red", "x"),
    "failed": ("red", "circle-x"), "created": ("blue", "plus"), "started": ("blue", "rocket"),
    "commented": ("grey", "message-square"), "edited": ("grey", "pencil"), "withdrawn": ("grey", "undo-2"),
    "expired": ("grey", "clock"), "retried": ("blue", "rotate-cw"), "rolled_back": ("violet", "undo-2"),
    "cancel_requested": ("amber", "ban"), "due": ("blue", "calendar-days"),
    "glass_broken": ("red", "triangle-alert"), "approved_afterwards": ("green", "check"), "objected": ("red", "x"),
    "review_reminded": ("amber", "bell"), "review_escalated": ("red", "bell"), "reminded": ("grey", "bell"),
    "escalated": ("amber", "bell"), "forced": ("amber", "settings"),
}  # fmt: skip
_ID = re.compile(r"[A-Za-z]+(-\d+)+")


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """What the log is narrowed to."""

    text: str = ""
    type: str = ""
    actor: str = ""
    since: dt.date | None = None
    until: dt.date | None = None

    @classmethod
    def of(cls, query: QueryDict) -> ActivityFilter:
        def clean(name: str) -> str:
            return query.get(name, "").replace("\x00", "").strip()[:200]

        return cls(clean("q"), clean("type"), clean("actor"), _date(clean("since")), _date(clean("until")))

    def __bool__(self) -> bool:
        return any((self.text, self.type, self.actor, self.since, self.until))


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def find_facts(user: User, wanted: ActivityFilter) -> QuerySet[DomainEvent]:
    """The facts `user` may see that match, in no order yet."""
    found = DomainEvent.objects.visible_to(user)
    if wanted.type:
        found = (
            found.filter(type=wanted.type) if "." in wanted.type else found.filter(type__startswith=f"{wanted.type}.")
        )
    if wanted.actor:
        actor = user.email if wanted.actor == "me" else wanted.actor
        found = found.filter(actor_label__iexact=actor)
    if wanted.since:
        found = found.filter(occurred_at__gte=dt.datetime.combine(wanted.since, dt.time(), dt.UTC))
    if wanted.until:
        found = found.filter(
            occurred_at__lt=dt.datetime.combine(wanted.until + dt.timedelta(days=1), dt.time(), dt.UTC)
        )
    return _search(found, wanted.text) if wanted.text else found


def _search(facts: QuerySet[DomainEvent], text: str) -> QuerySet[DomainEvent]:
    """Facts that hold all words, the last letters of which may still be missing; an id finds its thing."""
    if _ID.fullmatch(text):
        return facts.filter(subject_type__in=list(PAGES), subject_id=text.upper())
    for address in filter(lambda word: "@" in word, text.split()):
        # An address is one word of the index: its beginning finds it, the rest is compared.
        facts = facts.filter(actor_label__istartswith=address)
        text = text.replace(address, address.partition("@")[0])
    query = prefix_query(text)
    return facts.none() if query is None else facts.alias(words=FACT_TEXT).filter(words=query)


@dataclass(frozen=True, slots=True)
class Line:
    """One fact as people read it."""

    fact: DomainEvent
    what: str
    tone: str
    shape: str
    said: str
    address: str


def for_lines(facts: QuerySet[DomainEvent]) -> QuerySet[DomainEvent]:
    """With what a line shows, without the documents that facts carry."""
    return facts.select_related("tenant").defer("data").annotate(entry=F("data__entry"))


def as_lines(facts: Iterable[DomainEvent]) -> list[Line]:
    return [_line(fact) for fact in facts]


def _line(fact: DomainEvent) -> Line:
    thing, _, verb = fact.type.rpartition(".")
    tone, shape = TONES.get(verb, ("grey", "activity"))
    entry = getattr(fact, "entry", None) or {}
    words = f"{'deployment ' if thing == 'deployment' else ''}{verb.replace('_', ' ')}"
    return Line(fact, words, tone, shape, str(entry.get("comment") or entry.get("error") or "")[:300], _address(fact))


def _address(fact: DomainEvent) -> str:
    try:
        return reverse(PAGES[fact.subject_type], args=[fact.subject_id])
    except (KeyError, NoReverseMatch):
        return ""


def newest_facts(user: User, limit: int) -> list[Line]:
    """What just happened, newest first."""
    return as_lines(for_lines(DomainEvent.objects.visible_to(user)).order_by("-sequence")[:limit])


@dataclass(frozen=True, slots=True)
class ChainMark:
    """Whether the chain of the log held when it was last verified, and whether that reached its newest fact."""

    complete: bool
    at: dt.datetime
    reason: str = ""


_CHAIN_KEY = "events:chain-mark"
_STRETCH = 2000
_KEPT = 86_400


def chain_mark() -> ChainMark:
    """The kept mark, moved on by one stretch of the log when new facts came: two queries at most, whatever its size.

    What was verified once is skipped for a day; `manage.py audit verify` reads the whole log again.
    """
    head = DomainEvent.objects.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    kept = _kept_mark()
    if kept.get("sequence", 0) > head:
        kept = {}
    reached = (kept.get("sequence", 0), kept.get("hash", GENESIS_HASH))
    if not kept or (reached[0] < head and not kept["reason"]):
        kept = _verify_on(reached)
        with contextlib.suppress(RedisError):
            cache.set(_CHAIN_KEY, kept, timeout=_KEPT)
    return ChainMark(kept["sequence"] >= head, dt.datetime.fromisoformat(kept["at"]), kept["reason"])


def _kept_mark() -> dict[str, Any]:
    """Nothing while the cache is away: then the page starts over at the first fact each time."""
    try:
        return cache.get(_CHAIN_KEY) or {}
    except RedisError:
        return {}


def _verify_on(reached: tuple[int, str]) -> dict[str, Any]:
    stretch = list(DomainEvent.objects.filter(sequence__gt=reached[0]).order_by("sequence")[:_STRETCH])
    broken = find_chain_break(iter(stretch), after=reached)
    if broken is None and stretch:
        reached = (stretch[-1].sequence, stretch[-1].hash)
    return {
        "sequence": reached[0],
        "hash": reached[1],
        "at": now().isoformat(),
        "reason": broken.reason if broken else "",
    }
