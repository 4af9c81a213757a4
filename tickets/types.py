"""Values of tickets: kinds, priorities, steps of a plan, and what services take and answer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from tickets.models import Comment, StageTask, Ticket

PLANNED = "Planned"
# The face through which tickets follow a Jira; the request id of its facts says which, so that nothing is told back.
JIRA_SURFACE = "jira"
# What an issue is labelled that was made for a ticket, before the ticket's key.
ISSUE_LABEL = "stagepass-"


def origin_of(connection: int, received: int | str = "") -> str:
    """The request id of what a connection brought about."""
    return f"jira:{connection}:{received}"


class TicketType(models.TextChoices):
    EPIC = "epic"
    STORY = "story"
    TASK = "task"
    SUBTASK = "subtask"
    BUG = "bug"
    DOCUMENTATION = "documentation"


class Priority(models.IntegerChoices):
    """The smaller, the sooner."""

    URGENT = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def words(cls) -> list[str]:
        return [priority.word for priority in cls]


class CommentKind(models.TextChoices):
    DESCRIPTION = "description"
    COMMENT = "comment"
    STAGE = "stage"
    RETURN = "return"
    DECISION = "decision"
    CLOSING = "closing"


class LinkKind(models.TextChoices):
    ISSUE = "issue"
    COMMIT = "commit"
    PULL_REQUEST = "pull_request"
    BUILD = "build"
    DOCUMENT = "document"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One stage of an execution plan: the worker type it is for; a gate waits for a person instead of a worker."""

    stage: str
    gate: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"stage": self.stage, "gate": self.gate}


@dataclass(frozen=True, slots=True)
class TicketContent:
    """What whoever opens a ticket fills in; people are accounts' e-mails, the parent is a key."""

    title: str
    description: str = ""
    plan: tuple[PlanStep, ...] = ()
    type: str = TicketType.TASK
    priority: int = Priority.MEDIUM
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    due_date: dt.date | None = None
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """What completing a stage did."""

    ticket: Ticket
    task: StageTask | None
    comment: Comment | None
    next_task: StageTask | None
    late: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that keeps a task from being claimed: its stable code and a sentence."""

    code: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """Whether a worker could claim the ticket's next stage now, and every rule that stands against it."""

    claimable: bool
    reasons: tuple[Reason, ...]
