"""What every notifier offers, and what every kind of notice knows; raise DeliveryFailed or DeliveryRefused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from django.conf import settings

from accounts.models import User
from core.plugins import load_callable
from events.models import Delivery, DomainEvent


class Notifier(Protocol):
    """A channel: who is told of a fact there, and how one of them is told."""

    def recipients(self, fact: DomainEvent) -> list[str]:
        """The addresses on this channel that `fact` concerns; each gets a delivery of its own."""
        ...

    def send(self, delivery: Delivery) -> dict[str, Any]:
        """Tell one recipient and return the receipt; a repeated call must be recognisable to the receiver."""
        ...


class NullNotifier:
    """Tells nobody."""

    def recipients(self, fact: DomainEvent) -> list[str]:
        return []

    def send(self, delivery: Delivery) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class Told:
    """Who hears of a fact: people with accounts, and bare e-mail addresses such as the operators'."""

    people: Iterable[User] = ()
    addresses: Iterable[str] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What a notice says on any channel: one line, the page it leads to, and what the templates need."""

    subject: str
    url: str
    context: dict[str, Any] = field(default_factory=dict)


class NoticeKind(Protocol):
    """One kind of notice, such as request_created; the name is that of its templates and of the preference."""

    @property
    def name(self) -> str: ...

    @property
    def fact(self) -> str:
        """The type of the facts it is about."""
        ...

    @property
    def label(self) -> str:
        """How the preferences call it."""
        ...

    @property
    def optional(self) -> bool:
        """Whether its mails offer to be unsubscribed from."""
        ...

    def told(self, fact: DomainEvent) -> Told: ...

    def words(self, fact: DomainEvent) -> Words: ...

    def still_matters(self, fact: DomainEvent) -> bool:
        """False once there is nothing left to do about it: a late reminder is then not sent."""
        ...


@cache
def notice_kinds() -> dict[str, NoticeKind]:
    """Every kind of notice of the NOTICES setting, by name."""
    return {kind.name: kind for path in settings.NOTICES for kind in load_callable(path)}


@cache
def _kinds_by_fact() -> dict[str, NoticeKind]:
    return {kind.fact: kind for kind in notice_kinds().values()}


def notice_about(fact: DomainEvent) -> NoticeKind | None:
    """The kind of notice that `fact` calls for, if any."""
    return _kinds_by_fact().get(fact.type)
