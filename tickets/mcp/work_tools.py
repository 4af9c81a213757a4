"""Tools on stage tasks, workers, projects and events: find what is named, call one service, show what came of it."""

from __future__ import annotations

import json
from typing import Any

from accounts.models import User
from tickets import selectors, services, wire
from tickets.mcp import schemas, shapes
from tickets.mcp.registry import READ, WORK, WRITE, Document, Effect, Form, tool
from tickets.mcp.ticket_tools import ONE, find
from tickets.models import StageTask, Worker
from tickets.selectors.events import COORDINATOR
from tickets.states import TaskState

TASK = {"task_id": schemas.TASK_ID, "fence": schemas.FENCE}
ONE_WORKER = {"worker_id": schemas.WORKER_ID, "tenant": schemas.TENANT}
LONGEST_WAIT = 20


def _task(by: User, form: Form) -> StageTask:
    return selectors.find_task(user=by, task_id=form["task_id"])


def _worker(by: User, form: Form) -> Worker:
    return selectors.find_worker(user=by, worker_id=form["worker_id"], tenant=form.get("tenant", ""))


def _told_queued(made: Document) -> str:
    """The sentence of the original design, with its four fields."""
    four = {"task_id": made["task_id"], "ticket_id": made["ticket_id"], "queue_name": made["queue_name"]}
    return f"Task queued successfully: {json.dumps({**four, 'worker_id': made['hint_worker_id']})}"


@tool(
    "Queue the next stage",
    takes={
        **ONE,
        "worker_type": schemas.text("Refused if it is not the next stage."),
        "even_without_worker": schemas.flag("Also if no worker of the type is there.", default=False),
    },
    needs=["ticket_id"],
    answers=shapes.QUEUED_TASK,
    scope=WRITE,
    effect=Effect.SETS,
    told=_told_queued,
)
def queue_task(by: User, form: Form) -> Document:
    """Queue the ticket's next stage for a worker of its type; queueing what is queued answers the same task."""
    task, worker = services.queue_task(
        ticket=find(by, form), by=by, worker_type=form.get("worker_type", ""),
        even_without_worker=form["even_without_worker"],
    )  # fmt: skip
    task = selectors.find_task(user=by, task_id=task.pk)
    return {**wire.render_task(task), "hint_worker_id": worker.worker_id if worker else None}


@tool(
    "Claim a task",
    takes={
        **ONE_WORKER,
        "lease_seconds": schemas.LEASE,
        "ticket_id": schemas.text("Only a stage of this ticket."),
        "project_id": schemas.text("Only a stage of this project's tickets."),
        "wait": schemas.number("Seconds to wait for something to claim.", most=LONGEST_WAIT, default=0),
    },
    needs=["worker_id"],
    answers=shapes.CLAIMED,
    scope=WORK,
    effect=Effect.ADDS,
    waits=True,
)
def claim_task(by: User, form: Form) -> Document:
    """The next task of the worker's type, held by lease: `task` is null when there is none now. Send its `fence` with
    everything you do to it, and heartbeat before the lease runs out."""
    worker = _worker(by, form)
    only: dict[str, Any] = {}
    if form.get("ticket_id"):
        only["ticket"] = selectors.find_ticket(user=by, key=form["ticket_id"], tenant=worker.tenant.slug)
    if form.get("project_id"):
        only["project"] = selectors.find_project(user=by, key=form["project_id"], tenant=worker.tenant.slug)
    task = services.claim_task(worker=worker, by=by, lease_seconds=form.get("lease_seconds"), **only)
    return {"task": wire.render_claimed_task(task) if task else None}


@tool(
    "Keep a task",
    takes={**TASK, "lease_seconds": schemas.LEASE},
    needs=["task_id", "fence"],
    answers=shapes.TASK,
    scope=WORK,
    effect=Effect.SETS,
)
def heartbeat(by: User, form: Form) -> Document:
    """Keep a claimed task for longer; a refusal (lease_lost) says to stop working on it."""
    return wire.render_task(
        services.heartbeat_task(
            task=_task(by, form), fence=form["fence"], by=by, lease_seconds=form.get("lease_seconds")
        )
    )


@tool(
    "Complete a stage",
    takes={**TASK, "comment": schemas.COMMENT},
    needs=["task_id", "fence"],
    answers=shapes.COMPLETION,
    scope=WORK,
    effect=Effect.ADDS,
)
def complete_stage(by: User, form: Form) -> Document:
    """The stage is done: comment, stage, next task and event, all or nothing."""
    done = services.complete_stage(task=_task(by, form), fence=form["fence"], by=by, comment=form.get("comment", ""))
    return wire.render_completion(done)


@tool(
    "Fail a task",
    takes={
        **TASK,
        "error": schemas.needed_text("What went wrong.", longest=schemas.MAX_TEXT),
        "retry": schemas.flag("false: a person has to look at once.", default=True),
    },
    needs=["task_id", "fence", "error"],
    answers=shapes.TASK,
    scope=WORK,
    effect=Effect.ADDS,
)
def fail_task(by: User, form: Form) -> Document:
    """The attempt failed; it is tried again after a growing wait, or a person has to look."""
    task = _task(by, form)
    services.fail_task(task=task, fence=form["fence"], by=by, error=form["error"], retry=form["retry"])
    return wire.render_task(_task(by, form))


@tool(
    "Give a task back",
    takes={**TASK, "reason": schemas.text("Why, if you want to say.", longest=schemas.MAX_TEXT)},
    needs=["task_id", "fence"],
    answers=shapes.TASK,
    scope=WORK,
    effect=Effect.SETS,
)
def release_task(by: User, form: Form) -> Document:
    """Give the task back untouched; the attempt is not counted."""
    task = _task(by, form)
    services.release_task(task=task, fence=form["fence"], by=by, reason=form.get("reason", ""))
    return wire.render_task(_task(by, form))


@tool(
    "Revive a dead task",
    takes={"task_id": schemas.TASK_ID},
    needs=["task_id"],
    answers=shapes.TASK,
    scope=WRITE,
    effect=Effect.SETS,
)
def retry_task(by: User, form: Form) -> Document:
    """Give a dead task new attempts; for people, not for workers."""
    services.retry_task(task=_task(by, form), by=by)
    return wire.render_task(_task(by, form))


@tool(
    "List tasks",
    takes={
        **schemas.page(),
        "state": {"type": "array", "items": {"type": "string", "enum": TaskState.values},
                  "maxItems": len(TaskState.values), "description": "Only in any of these; the open ones if left out."},
        "worker_type": schemas.text("Only stages of this type."),
        "worker_id": schemas.text("Only held by this worker."),
        "ticket_id": schemas.text("Only of this ticket."),
        "tenant": schemas.TENANT,
    },
    answers=shapes.page_of("tasks", shapes.TASK),
    scope=READ,
    effect=Effect.READS,
)  # fmt: skip
def list_tasks(by: User, form: Form) -> Document:
    """Stage tasks, newest first."""
    tasks = selectors.list_tasks(
        user=by, states=tuple(form.get("state", ())), worker_type=form.get("worker_type", ""),
        ticket=find(by, form) if form.get("ticket_id") else None,
        worker=_worker(by, form) if form.get("worker_id") else None,
    )  # fmt: skip
    return _page("tasks", tasks, form, wire.render_task)


def _page(name: str, rows: Any, form: Form, render: Any) -> Document:
    if "cursor" in form:
        rows = rows.filter(pk__lt=form["cursor"])
    limit = form["limit"]
    found = list(rows.order_by("-id")[: limit + 1])
    following = found[limit - 1].pk if len(found) > limit else None
    return {name: [render(row) for row in found[:limit]], "next_cursor": following}


@tool("List queues", takes={}, answers=shapes.QUEUES, scope=READ, effect=Effect.READS)
def list_queues(by: User, form: Form) -> Document:
    """Per worker type, how much waits, is claimed, failed, died or waits for a person."""
    return {"queues": selectors.queue_lengths(user=by)}


@tool(
    "Explain a claim",
    takes={
        **ONE,
        "worker_id": schemas.text("For this worker."),
        "worker_type": schemas.text("For a worker of this type."),
    },
    needs=["ticket_id"],
    answers=shapes.CLAIM_ANSWER,
    scope=READ,
    effect=Effect.READS,
)
def explain_claim(by: User, form: Form) -> Document:
    """Whether the ticket's next stage can be claimed now, and every rule that stands against it."""
    ticket, worker = find(by, form), None
    if form.get("worker_id"):
        worker = selectors.find_worker(user=by, worker_id=form["worker_id"], tenant=ticket.tenant.slug)
    answer = selectors.explain_claim(user=by, ticket=ticket, worker=worker, worker_type=form.get("worker_type", ""))
    return wire.render_claim_answer(answer)


@tool(
    "Register a worker",
    takes={
        **ONE_WORKER,
        "worker_type": schemas.WORKER_TYPE,
        "project_id": schemas.text("The only project it works for."),
        "capabilities": schemas.texts("What it can do.", most=50),
        "silence_seconds": schemas.number("Not heard of for so long, it counts as stopped.", least=1, default=600),
    },
    needs=["worker_id", "worker_type"],
    answers=shapes.WORKER,
    scope=WORK,
    effect=Effect.SETS,
)
def register_worker(by: User, form: Form) -> Document:
    """Register a worker under your account; registering again lets a stopped one come back."""
    tenant = selectors.working_tenant(user=by, tenant=form.get("tenant", ""))
    key = form.get("project_id")
    project = selectors.find_project(user=by, key=key, tenant=tenant.slug) if key else None
    worker = services.register_worker(
        worker_id=form["worker_id"], worker_type=form["worker_type"], tenant=tenant, by=by, project=project,
        capabilities=form.get("capabilities", ()), silence_seconds=form["silence_seconds"],
    )  # fmt: skip
    return wire.render_worker(worker)


@tool(
    "List workers",
    takes={
        **schemas.page(),
        "worker_type": schemas.text("Only of this type."),
        "status": schemas.word("Only these.", ["active", "idle", "stopped"]),
    },
    answers=shapes.page_of("workers", shapes.WORKER),
    scope=READ,
    effect=Effect.READS,
)
def list_workers(by: User, form: Form) -> Document:
    """The workers that you may see, newest first."""
    workers = selectors.list_workers(user=by, worker_type=form.get("worker_type", ""), status=form.get("status", ""))
    return _page("workers", workers, form, wire.render_worker)


@tool(
    "Read a worker",
    takes=ONE_WORKER,
    needs=["worker_id"],
    answers=shapes.WORKER,
    scope=READ,
    effect=Effect.READS,
)
def get_worker(by: User, form: Form) -> Document:
    """One worker and whether it is there."""
    return wire.render_worker(_worker(by, form))


@tool(
    "Say that a worker is there",
    takes=ONE_WORKER,
    needs=["worker_id"],
    answers=shapes.WORKER,
    scope=WORK,
    effect=Effect.SETS,
)
def heartbeat_worker(by: User, form: Form) -> Document:
    """The worker is still there, also when it has nothing to do; claiming says so too."""
    return wire.render_worker(services.heartbeat_worker(worker=_worker(by, form), by=by))


@tool(
    "Stop a worker",
    takes={**ONE_WORKER, "reason": schemas.text("Why, if you want to say.", longest=500)},
    needs=["worker_id"],
    answers=shapes.WORKER,
    scope=WORK,
    effect=Effect.ENDS,
)
def stop_worker(by: User, form: Form) -> Document:
    """The worker works no more; what it holds is queued again, and coordinators get a worker_stopped event."""
    return wire.render_worker(services.stop_worker(worker=_worker(by, form), by=by, reason=form.get("reason", "")))


@tool(
    "List projects",
    takes=schemas.page(),
    answers=shapes.page_of("projects", shapes.PROJECT),
    scope=READ,
    effect=Effect.READS,
)
def list_projects(by: User, form: Form) -> Document:
    """The projects that you may see, newest first."""
    return _page("projects", selectors.list_projects(user=by), form, wire.render_project)


CONSUMER = schemas.text("Who reads; each consumer marks for itself.", longest=100, default=COORDINATOR)


@tool(
    "Read events",
    takes={
        **ONE,
        "ticket_id": schemas.text("Only about this ticket."),
        "processed": schemas.flag("Only those that the consumer dealt with, or only those it did not."),
        "consumer": CONSUMER,
        "event_type": schemas.texts('Only of these types; ["all"] for every one.', most=50),
        "after": schemas.number("`cursor` of the answer before.", default=0),
        "limit": schemas.number("How many at most.", least=1, most=500, default=100),
    },
    answers=shapes.EVENTS,
    scope=READ,
    effect=Effect.READS,
)
def get_events(by: User, form: Form) -> Document:
    """Events for coordinators in the order they happened; go on from `cursor` and nothing is missed."""
    page = selectors.get_events(
        user=by, processed=form.get("processed"), consumer=form["consumer"], types=form.get("event_type") or None,
        ticket=find(by, form) if form.get("ticket_id") else None, after=form["after"], limit=form["limit"],
    )  # fmt: skip
    return {"events": [wire.render_event(event) for event in page.events], "cursor": page.cursor, "more": page.more}


@tool(
    "Mark events as processed",
    takes={
        "event_ids": {
            "type": "array", "items": {"type": "integer", "minimum": 1, "maximum": schemas.BIG}, "maxItems": 1000,
            "description": "`event_id` of each event.",
        },
        "consumer": CONSUMER,
        "resolution": schemas.text("How they were dealt with.", longest=5000),
    },
    needs=["event_ids"],
    answers=shapes.MARKED,
    scope=WRITE,
    effect=Effect.SETS,
)  # fmt: skip
def mark_events_processed(by: User, form: Form) -> Document:
    """Say that events were dealt with, and how; once per consumer. All of them, or none."""
    count = services.mark_events_processed(
        event_ids=form["event_ids"], by=by, consumer=form["consumer"], resolution=form.get("resolution", "")
    )
    return {"processed": count}
