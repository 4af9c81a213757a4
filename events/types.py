"""Values that travel with facts: subjects, audiences, and how a delivery may fail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from accounts.models import User
from accounts.roles import Capability

# Facts about telling of facts.
FACTS_OF_DELIVERY = (
    "webhook.created", "webhook.changed", "webhook.secret_rotated", "webhook.enabled", "webhook.disabled",
    "webhook.deleted", "webhook.tested", "delivery.retried",
    "notices.digested", "notices.given_up", "notices.token_expires", "connection.created", "connection.changed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """The thing a fact is about: its kind, its public id, and its name for people."""

    type: str
    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may know of a fact: holders of a capability in its tenant, and these people besides."""

    capability: Capability | None = None
    users: tuple[int, ...] = ()

    @classmethod
    def of(cls, capability: Capability, people: Iterable[User | None] = ()) -> Audience:
        return cls(capability, tuple(sorted({person.pk for person in people if person is not None})))


class DeliveryFailed(Exception):
    """The channel could not take it now; it is tried again later, after `retry_after` seconds if that is given.

    `channel_down` says that nothing else will get through either: the channel then rests before it is tried again.
    """

    def __init__(self, message: str, retry_after: float | None = None, *, channel_down: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.channel_down = channel_down


class DeliveryRefused(DeliveryFailed):
    """The channel will never take this one; a person has to look."""
