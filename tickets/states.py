"""The life of a ticket and of a stage task: every permitted step and the fact it leaves."""

from __future__ import annotations

from django.db import models

from core.transitions import Edge, TransitionTable


class State(models.TextChoices):
    """States of a ticket; the last two are the closed ones."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    IN_REVIEW = "in_review"
    REVIEWED = "reviewed"
    TESTING = "testing"
    APPROVAL_IN_PROGRESS = "approval_in_progress"
    APPROVED = "approved"
    DECLINED = "declined"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    COMPLETED = "completed"
    STOPPED = "stopped"


S = State
CLOSED = (S.COMPLETED, S.STOPPED)
UNCLOSED = tuple(state for state in S if state not in CLOSED)
# A ticket in one of these no longer blocks those that depend on it; a stopped one still does.
SATISFIED = (S.RESOLVED, S.COMPLETED)
# Claiming a stage in one of these starts work on the ticket.
IDLE = (S.OPEN, S.REOPENED, S.DECLINED, S.APPROVED)


def _from(sources: tuple[State, ...], verb: str, target: State, fact: str) -> list[Edge]:
    return [Edge(source, verb, target, fact) for source in sources]


TICKET = TransitionTable(
    "ticket",
    [
        *_from(
            (S.OPEN, S.REOPENED, S.IN_REVIEW, S.REVIEWED, S.TESTING, S.APPROVED, S.DECLINED),
            "start", S.IN_PROGRESS, "ticket.started",
        ),
        *_from((S.OPEN, S.REOPENED, S.IN_PROGRESS, S.DECLINED), "request_review", S.IN_REVIEW, "ticket.review_requested"),
        *_from((S.IN_REVIEW,), "finish_review", S.REVIEWED, "ticket.reviewed"),
        *_from((S.IN_PROGRESS, S.REVIEWED, S.APPROVED), "start_testing", S.TESTING, "ticket.testing_started"),
        *_from(
            (S.OPEN, S.REOPENED, S.IN_PROGRESS, S.IN_REVIEW, S.REVIEWED, S.TESTING, S.APPROVED, S.DECLINED),
            "request_approval", S.APPROVAL_IN_PROGRESS, "ticket.approval_requested",
        ),
        *_from((S.APPROVAL_IN_PROGRESS,), "approve", S.APPROVED, "ticket.approved"),
        *_from((S.APPROVAL_IN_PROGRESS,), "decline", S.DECLINED, "ticket.declined"),
        *_from(
            (S.OPEN, S.REOPENED, S.IN_PROGRESS, S.IN_REVIEW, S.REVIEWED, S.TESTING, S.APPROVED),
            "resolve", S.RESOLVED, "ticket.resolved",
        ),
        *_from(
            tuple(state for state in UNCLOSED if state != S.RESOLVED),
            "resolve_by_deployment", S.RESOLVED, "ticket.resolved",
        ),
        *_from(UNCLOSED, "complete", S.COMPLETED, "ticket.closed"),
        *_from(UNCLOSED, "stop", S.STOPPED, "ticket.closed"),
        Edge(S.APPROVAL_IN_PROGRESS, "go_back", S.IN_PROGRESS, "ticket.stage_returned"),
        *_from((S.RESOLVED, *CLOSED), "reopen", S.REOPENED, "ticket.reopened"),
    ],
)  # fmt: skip

# What `move_ticket` offers; closing has a verb of its own, and deployments resolve by themselves.
MOVES = (
    "start",
    "request_review",
    "finish_review",
    "start_testing",
    "request_approval",
    "approve",
    "decline",
    "resolve",
    "reopen",
)
# Verbs that take a person with the right to decide.
DECISIONS = ("approve", "decline")


class TaskState(models.TextChoices):
    """States of a stage task. A failed one waits for its next attempt; a dead one for a person."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    FAILED = "failed"
    DEAD = "dead"
    WAITING_FOR_PERSON = "waiting_for_person"
    DONE = "done"
    CANCELED = "canceled"


T = TaskState
# At most one task of a ticket's step is in one of these at a time.
TASK_OPEN = (T.QUEUED, T.CLAIMED, T.FAILED, T.DEAD, T.WAITING_FOR_PERSON)
# A worker may take these once their time has come.
TASK_READY = (T.QUEUED, T.FAILED)

TASK = TransitionTable(
    "stage task",
    [
        Edge(T.QUEUED, "claim", T.CLAIMED, "ticket.stage_claimed"),
        Edge(T.FAILED, "claim", T.CLAIMED, "ticket.stage_claimed"),
        Edge(T.CLAIMED, "claim", T.CLAIMED, "ticket.stage_claimed"),
        Edge(T.CLAIMED, "complete", T.DONE, "ticket.stage_completed"),
        Edge(T.CLAIMED, "fail", T.FAILED, "ticket.stage_failed"),
        Edge(T.CLAIMED, "give_up", T.DEAD, "ticket.stage_exhausted"),
        Edge(T.CLAIMED, "release", T.QUEUED, "ticket.stage_released"),
        Edge(T.DEAD, "retry", T.QUEUED, "ticket.stage_retried"),
        Edge(T.WAITING_FOR_PERSON, "approve_gate", T.DONE, "ticket.stage_completed"),
        Edge(T.WAITING_FOR_PERSON, "decline_gate", T.CANCELED, "ticket.declined"),
        *(Edge(state, "cancel", T.CANCELED, "ticket.closed") for state in TASK_OPEN),
    ],
)
