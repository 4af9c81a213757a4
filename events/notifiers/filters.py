"""What a fact is about, so that endpoints and subscriptions can say which ones they want."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Q

from accounts.roles import Role
from accounts.selectors import holders_of_role
from events.channels import matches
from events.models import DomainEvent, Severity, Subscription
from events.models.outside import FactFilter

Row = TypeVar("Row")
SEVERITIES = {
    "low": Severity.LOW, "medium": Severity.MEDIUM, "high": Severity.HIGH, "critical": Severity.CRITICAL,
    "P1": Severity.CRITICAL, "P2": Severity.HIGH, "P3": Severity.MEDIUM, "P4": Severity.LOW, "P5": Severity.LOW,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Matter:
    """Project, service and severity of a fact, as far as it has them."""

    project: str = ""
    service: str = ""
    severity: Severity = Severity.ANY


def matter_of(fact: DomainEvent) -> Matter:
    """Read from what the apps write into their facts."""
    spec = fact.data.get("document", {}).get("spec", {})
    event = fact.data.get("event") or fact.data.get("lock") or {}
    event = event if isinstance(event, dict) else {}
    word = spec.get("request", {}).get("impactAssessment") or event.get("priority") or fact.data.get("priority") or ""
    return Matter(
        project=str(fact.data.get("project", "")),
        service=str(spec.get("target", {}).get("name") or event.get("service") or fact.data.get("application") or ""),
        severity=SEVERITIES.get(str(word), Severity.ANY),
    )


def wants(wish: FactFilter, fact: DomainEvent) -> bool:
    """Whether the fact is one of those that are wished for."""
    if not matches(fact.type, wish.patterns):
        return False
    matter = matter_of(fact)
    return (
        (not wish.project or wish.project.lower() == matter.project.lower())
        and (not wish.service or wish.service.lower() == matter.service.lower())
        and matter.severity >= wish.severity
    )


_remembered: ContextVar[dict[Any, Any] | None] = ContextVar("remembered_wishes", default=None)


@contextmanager
def remembering(memory: dict[Any, Any] | None = None) -> Iterator[None]:
    """Within the block what was wished for is read once, for many facts of one moment; `memory` may outlive the block."""
    token = _remembered.set({} if memory is None else memory)
    try:
        yield
    finally:
        _remembered.reset(token)


def remembered(key: Any, read: Callable[[], list[Row]]) -> list[Row]:
    """What `read` returns; within `remembering` that of the first time."""
    memory = _remembered.get()
    if memory is None:
        return read()
    if key not in memory:
        memory[key] = read()
    found: list[Row] = memory[key]
    return found


def subscribed(fact: DomainEvent, channel: str) -> set[str]:
    """Where on the channel it was subscribed to; facts for named people only are nobody else's."""
    if not fact.audience_capability:
        return set()

    targets = {wish.target for wish in _wishes(fact, channel) if wants(wish, fact)}
    if channel == Subscription.Channel.EMAIL:
        roles = {wish.target for wish in _wishes(fact, Subscription.Channel.ROLE) if wants(wish, fact)}
        return targets.union(*(_addresses_of(role, fact) for role in roles))
    return targets


def _wishes(fact: DomainEvent, channel: str) -> list[Subscription]:
    def read() -> list[Subscription]:
        return list(Subscription.objects.filter(Q(tenant=None) | Q(tenant=fact.tenant_id), channel=channel))

    return remembered(("subscriptions", channel, fact.tenant_id), read)


def _addresses_of(role: str, fact: DomainEvent) -> list[str]:
    """Of those who have the role in the fact's tenant; whether they may know of the fact is looked at before it is sent."""

    def read() -> list[str]:
        members = holders_of_role(Role(role)).filter(memberships__tenant=fact.tenant_id, memberships__role=role)
        return list(members.values_list("email", flat=True))

    return remembered(("role", role, fact.tenant_id), read)
