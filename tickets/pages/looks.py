"""How states, priorities, types and facts of tickets look: word, tone and icon, in one table each."""

from __future__ import annotations

from core.looks import Look
from tickets.states import State, TaskState
from tickets.types import CommentKind, LinkKind, Priority, TicketType

STATES: dict[str, Look] = {
    State.OPEN: Look("Open", "grey", "inbox"),
    State.REOPENED: Look("Reopened", "amber", "rotate-cw"),
    State.IN_PROGRESS: Look("In progress", "blue", "loader-circle"),
    State.IN_REVIEW: Look("In review", "violet", "eye"),
    State.REVIEWED: Look("Reviewed", "violet", "check"),
    State.TESTING: Look("Testing", "blue", "shield-check"),
    State.APPROVAL_IN_PROGRESS: Look("Awaiting approval", "amber", "clock"),
    State.APPROVED: Look("Approved", "green", "check"),
    State.DECLINED: Look("Declined", "red", "x"),
    State.RESOLVED: Look("Resolved", "green", "circle-check"),
    State.COMPLETED: Look("Completed", "green", "circle-check"),
    State.STOPPED: Look("Stopped", "grey", "ban"),
}

PRIORITIES: dict[int, Look] = {
    Priority.URGENT: Look("Urgent", "red", "triangle-alert"),
    Priority.HIGH: Look("High", "amber"),
    Priority.MEDIUM: Look("Medium", "grey"),
    Priority.LOW: Look("Low", "grey"),
}

TYPES: dict[str, Look] = {
    TicketType.EPIC: Look("Epic", "violet", "boxes"),
    TicketType.STORY: Look("Story", "green", "user"),
    TicketType.TASK: Look("Task", "blue", "check"),
    TicketType.SUBTASK: Look("Subtask", "blue", "list"),
    TicketType.BUG: Look("Bug", "red", "circle-alert"),
    TicketType.DOCUMENTATION: Look("Documentation", "grey", "file-text"),
}

TASKS: dict[str, Look] = {
    TaskState.QUEUED: Look("Queued", "blue", "clock"),
    TaskState.CLAIMED: Look("Being worked on", "blue", "loader-circle", live=True),
    TaskState.FAILED: Look("Waits for its next attempt", "amber", "rotate-cw"),
    TaskState.DEAD: Look("Out of attempts", "red", "circle-x"),
    TaskState.WAITING_FOR_PERSON: Look("Waits for a person", "amber", "users"),
    TaskState.DONE: Look("Done", "green", "check"),
    TaskState.CANCELED: Look("Canceled", "grey", "ban"),
}

WORKERS: dict[str, Look] = {
    "active": Look("Active", "green", live=True),
    "idle": Look("Idle", "blue"),
    "stopped": Look("Stopped", "grey"),
}

COMMENTS: dict[str, Look] = {
    CommentKind.COMMENT: Look("", "grey"),
    CommentKind.STAGE: Look("Stage completed", "green"),
    CommentKind.RETURN: Look("Sent back", "amber"),
    CommentKind.DECISION: Look("Decision", "violet"),
    CommentKind.CLOSING: Look("Closing", "grey"),
}

LINKS = {
    LinkKind.ISSUE.value: "Issue",
    LinkKind.COMMIT.value: "Commit",
    LinkKind.PULL_REQUEST.value: "Pull request",
    LinkKind.BUILD.value: "Build",
    LinkKind.DOCUMENT.value: "Document",
    LinkKind.OTHER.value: "Other",
}

STEPS: dict[str, Look] = {
    "ticket.opened": Look("Opened", "grey", "plus"),
    "ticket.edited": Look("Edited", "grey", "pencil"),
    "ticket.commented": Look("Commented", "grey", "message-square"),
    "ticket.linked": Look("Linked", "grey", "link"),
    "ticket.unlinked": Look("Link removed", "grey", "link"),
    "ticket.dependency_added": Look("Waits for another", "grey", "link"),
    "ticket.dependency_removed": Look("Waits no longer", "grey", "link"),
    "ticket.started": Look("Started", "blue", "arrow-right"),
    "ticket.review_requested": Look("Review requested", "violet", "eye"),
    "ticket.reviewed": Look("Reviewed", "violet", "check"),
    "ticket.testing_started": Look("Testing started", "blue", "shield-check"),
    "ticket.approval_requested": Look("Approval requested", "amber", "clock"),
    "ticket.gate_reached": Look("Gate reached", "amber", "clock"),
    "ticket.approved": Look("Approved", "green", "check"),
    "ticket.declined": Look("Declined", "red", "x"),
    "ticket.resolved": Look("Resolved", "green", "circle-check"),
    "ticket.closed": Look("Closed", "grey", "ban"),
    "ticket.reopened": Look("Reopened", "amber", "rotate-cw"),
    "ticket.stage_queued": Look("Stage queued", "grey", "clock"),
    "ticket.stage_claimed": Look("Stage claimed", "blue", "user"),
    "ticket.stage_completed": Look("Stage completed", "green", "check"),
    "ticket.stage_failed": Look("Stage failed", "amber", "circle-alert"),
    "ticket.stage_exhausted": Look("Out of attempts", "red", "circle-x"),
    "ticket.stage_released": Look("Stage released", "grey", "undo-2"),
    "ticket.stage_retried": Look("Stage retried", "blue", "rotate-cw"),
    "ticket.stage_returned": Look("Sent back a stage", "amber", "undo-2"),
    "ticket.stage_lease_expired": Look("Lease ran out", "amber", "clock"),
}

VERBS = {
    "start": "Start",
    "request_review": "Request review",
    "finish_review": "Finish review",
    "start_testing": "Start testing",
    "request_approval": "Request approval",
    "approve": "Approve",
    "decline": "Decline",
    "resolve": "Resolve",
    "reopen": "Reopen",
}
