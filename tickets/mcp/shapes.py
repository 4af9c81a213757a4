"""What tools answer, as JSON Schemas; the documents themselves are made in tickets/wire.py."""

from __future__ import annotations

from typing import Any

from tickets.states import State, TaskState
from tickets.types import CommentKind, LinkKind, Priority, TicketType

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer"}
MAYBE_COUNT: Schema = {"type": ["integer", "null"]}
YES_OR_NO: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
MAYBE_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
PRESENCE: Schema = {"enum": ["active", "idle", "stopped"]}


def shape(**properties: Schema) -> Schema:
    """An object that has at least these members; later versions may add some."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def many(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def page_of(name: str, items: Schema) -> Schema:
    """A page under `name`, and where the next one begins."""
    return shape(**{name: many(items)}, next_cursor=MAYBE_COUNT)


TICKET_ROW = shape(
    ticket_id=TEXT, project_id=TEXT, tenant=TEXT, title=TEXT, type={"enum": TicketType.values},
    priority={"enum": Priority.words()}, labels=many(TEXT), assignees=many(TEXT), due_date=MAYBE_TEXT,
    parent=MAYBE_TEXT, state={"enum": State.values}, status={"enum": ["open", "closed"]}, execution_plan=many(TEXT),
    last_completed_stage=TEXT, current_stage=MAYBE_TEXT, progress=COUNT, round=COUNT, blocked=YES_OR_NO, version=COUNT,
    created_at=TIME, updated_at=TIME, closed_at=MAYBE_TIME,
)  # fmt: skip
TASK = shape(
    task_id=COUNT, ticket_id=TEXT, project_id=TEXT, worker_type=TEXT, queue_name=TEXT, stage_number=COUNT, round=COUNT,
    state={"enum": TaskState.values}, attempt=COUNT, max_attempts=COUNT, fence=COUNT, worker_id=MAYBE_TEXT,
    lease_until=MAYBE_TIME, lease_seconds_left=COUNT, next_at=TIME, last_error=MAYBE_TEXT, created_at=TIME,
    claimed_at=MAYBE_TIME, finished_at=MAYBE_TIME,
)  # fmt: skip
LINK = shape(link_id=COUNT, kind={"enum": LinkKind.values}, url=TEXT, title=TEXT, created_at=TIME)
COMMENT = shape(
    comment_id=COUNT, ticket_id=TEXT, kind={"enum": CommentKind.values}, author=TEXT, worker_type=MAYBE_TEXT,
    worker_id=MAYBE_TEXT, stage=MAYBE_TEXT, stage_number=MAYBE_COUNT, content=TEXT, created_at=TIME,
)  # fmt: skip


def with_members(base: Schema, **properties: Schema) -> Schema:
    return shape(**base["properties"], **properties)


TICKET = with_members(
    TICKET_ROW, description=TEXT, author=TEXT, plan=many(shape(stage=TEXT, gate=YES_OR_NO, done=YES_OR_NO)),
    depends_on=many(shape(ticket_id=TEXT, state={"enum": State.values})), blocks=many(TEXT), children=many(TEXT),
    links=many(LINK), tasks=many(TASK),
)  # fmt: skip
TICKET_WITH_COMMENTS = with_members(TICKET, comments=many(COMMENT), next_comment=MAYBE_COUNT)
QUEUED_TASK = with_members(TASK, hint_worker_id=MAYBE_TEXT)
CLAIMED = shape(task={"anyOf": [with_members(TASK, ticket=TICKET_ROW, description=TEXT), {"type": "null"}]})
COMPLETION = shape(
    ticket_id=TEXT, completed_stage=MAYBE_TEXT, last_completed_stage=TEXT, current_stage=MAYBE_TEXT,
    plan_completed=YES_OR_NO, comment_id=MAYBE_COUNT, next_task_id=MAYBE_COUNT, late=YES_OR_NO, version=COUNT,
)  # fmt: skip
WORKER = shape(
    worker_id=TEXT, worker_type=TEXT, queue_name=TEXT, project_id=MAYBE_TEXT, tenant=TEXT, owner=TEXT, status=PRESENCE,
    capabilities=many(TEXT), registered_at=TIME, last_seen_at=TIME, silence_seconds=COUNT, stopped_at=MAYBE_TIME,
    stop_reason=MAYBE_TEXT,
)  # fmt: skip
PROJECT = shape(
    project_id=TEXT, name=TEXT, tenant=TEXT, prefix=TEXT, settings={"type": "object"}, created_at=TIME
)  # fmt: skip
EVENT = shape(
    event_id=COUNT, event_type=TEXT, type=TEXT, ticket_id=MAYBE_TEXT, project_id=MAYBE_TEXT, tenant=MAYBE_TEXT,
    worker_id=MAYBE_TEXT, stage=MAYBE_TEXT, reason=MAYBE_TEXT, actor=TEXT, processed=YES_OR_NO, resolution=MAYBE_TEXT,
    created_at=TIME, data={"type": "object"},
)  # fmt: skip
EVENTS = shape(events=many(EVENT), cursor=COUNT, more=YES_OR_NO)
MARKED = shape(processed=COUNT)
CLAIM_ANSWER = shape(claimable=YES_OR_NO, reasons=many(shape(code=TEXT, message=TEXT)))
QUEUES = shape(
    queues=many(
        shape(
            queue_name=TEXT, worker_type=TEXT,
            **dict.fromkeys(("queued", "claimed", "failed", "dead", "waiting_for_person"), COUNT),
        )
    )
)  # fmt: skip
