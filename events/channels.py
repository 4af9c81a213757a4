"""The channels of the SUBSCRIBERS setting: what each wants to hear, and how it is served."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from django.conf import settings

from core.plugins import load_callable
from events.models import Delivery, DomainEvent
from events.notifiers.base import Notifier

Handler = Callable[[Delivery], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Channel:
    """One subscriber of facts, as the SUBSCRIBERS setting describes it.

    `notifier` is a class (see events/notifiers/base.py) made with `options`; or `handler(delivery)` tells one recipient
    of one fact and may return a receipt, and `recipients(fact)` names who is told (default: one nameless recipient).
    `but_not` takes facts out that `facts` let in. An `ordered` channel is served strictly in the order of the facts, by
    one worker at a time; a channel that is `alone` also by one, in any order; others by `at_once` workers (0: by as many as
    there are). With `lanes` each recipient is a channel of its own, called `name:recipient`, that can be down while the
    others are not. `after(fact)` is called once the delivery
    is on record as done (and may be missed in a crash: only for doorbells). `attempts` is how often it is tried before a
    person must look (None: for ever); `longest_wait` in seconds.
    """

    name: str
    facts: tuple[str, ...]
    handler: str = ""
    recipients: str = ""
    notifier: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    but_not: tuple[str, ...] = ()
    after: str = ""
    ordered: bool = False
    alone: bool = False
    at_once: int = 0
    lanes: bool = False
    attempts: int | None = 12
    longest_wait: float = 900

    def wants(self, fact_type: str) -> bool:
        return matches(fact_type, self.facts) and not matches(fact_type, self.but_not)

    def recipients_of(self, fact: DomainEvent) -> list[str]:
        if self.notifier:
            return self._load_notifier().recipients(fact)
        return list(load_callable(self.recipients)(fact)) if self.recipients else [""]

    def lane_of(self, recipient: str) -> str:
        """The name under which deliveries to `recipient` wait."""
        return f"{self.name}:{recipient}" if self.lanes else self.name

    @property
    def places(self) -> int:
        """How many may serve it at a time; 0: any number."""
        return 1 if self.alone else self.at_once

    @property
    def takes_batches(self) -> bool:
        return bool(self.notifier) and hasattr(load_callable(self.notifier), "send_batch")

    def send_batch(self, deliveries: Sequence[Delivery]) -> Sequence[dict[str, Any] | Exception | None]:
        """For each its receipt, why it failed, or None for one that was not tried."""
        notifier: Any = self._load_notifier()
        outcomes: Sequence[dict[str, Any] | Exception | None] = notifier.send_batch(deliveries)
        return outcomes

    def names(self, recipients: Collection[str]) -> dict[str, str]:
        """How people know the recipients: as the notifier says, `deleted` for those that it knew once."""
        notifier: Any = self._load_notifier() if self.notifier else None
        if not hasattr(notifier, "names"):
            return {recipient: recipient for recipient in recipients}
        found: dict[str, str] = notifier.names(recipients)
        return dict.fromkeys(recipients, "deleted") | found

    @contextmanager
    def open(self) -> Iterator[Handler]:
        """What tells one recipient, for as long as it is needed: a notifier's `session` may keep a connection."""
        if not self.notifier:
            yield load_callable(self.handler)
            return
        notifier: Any = self._load_notifier()
        if not hasattr(notifier, "session"):
            yield notifier.send
            return
        with notifier.session() as send:
            yield send

    def _load_notifier(self) -> Notifier:
        notifier: Notifier = load_callable(self.notifier)(**self.options)
        return notifier


def matches(fact_type: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns, such as promotion.*, is about facts of this type."""
    return any(fnmatch.fnmatchcase(fact_type, pattern) for pattern in patterns)


@cache
def channels() -> dict[str, Channel]:
    """All channels of the SUBSCRIBERS setting, by name."""
    return {name: Channel(name=name, **options) for name, options in settings.SUBSCRIBERS.items()}


def find_channel(name: str) -> Channel | None:
    """The channel of that name, or a lane of one; None when the settings know neither any more."""
    base, _, lane = name.partition(":")
    channel = channels().get(base)
    if channel is None or channel.lanes != bool(lane):
        return None
    return replace(channel, name=name)
