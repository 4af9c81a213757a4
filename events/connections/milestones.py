"""What a fact means for those who follow a ticket from outside: one reading for each kind of subject, for every channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from core.plugins import load_callable
from events.models import DomainEvent


@dataclass(frozen=True, slots=True)
class Rollout:
    """How the deployment of a thing stands: in_progress, success, failure, or inactive (it runs there no longer).

    `replaces`: what ran in the environment before runs there no longer once this succeeded.
    """

    thing: str
    state: str
    environment: str
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Milestone:
    """A step on the way of tickets.

    `word` is what status maps call it, such as `stamp.qa`; empty when things have moved on since. `said` is a sentence
    for a comment; empty when the step alone says it. `label` names what it happened to, `standing` is how that stands
    now in few words; `outcome` is what a commit status says (pending, success, failure), or empty;
    `rollout` is what becomes of a deployment.
    """

    tickets: tuple[str, ...]
    word: str = ""
    said: str = ""
    url: str = ""
    preview: str = ""
    label: str = ""
    standing: str = ""
    outcome: str = ""
    rollout: Rollout | None = None


def tickets_of(fact: DomainEvent) -> tuple[str, ...]:
    """The keys of the tickets that a fact of a ticket, a stamp or a request is about; read from the fact alone."""
    if fact.subject_type == "ticket":
        return (fact.subject_id,)
    if ticket := fact.data.get("ticket"):
        return (str(ticket),)
    document = fact.data.get("document") or {}
    request = document.get("spec", {}).get("request", {}) if isinstance(document, dict) else {}
    return tuple(dict.fromkeys(str(key) for key in request.get("tickets") or []))


def milestone_of(fact: DomainEvent) -> Milestone | None:
    """How the app of the fact's subject reads it; None for what is of no interest outside."""
    path = settings.MILESTONES.get(fact.subject_type)
    if not path:
        return None
    read: Callable[[DomainEvent], Milestone | None] = load_callable(path)
    return read(fact)
