"""Tickets, tasks, workers and events as the outside knows them: one shape for REST, MCP and streams."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from accounts.models import User
from events.models import DomainEvent
from tickets.models import Comment, Project, StageTask, Ticket, TicketLink, Worker
from tickets.models.projects import PROJECT_SETTINGS
from tickets.selectors.events import EVENT_NAMES
from tickets.types import ClaimAnswer, Completion, PlanStep, Priority, TicketContent

# The predicate under which each step of a ticket is told as a CDEvent.
CDEVENT_PREDICATES = {
    "ticket.opened": "opened",
    "ticket.started": "in_progress",
    "ticket.review_requested": "in_review",
    "ticket.reviewed": "reviewed",
    "ticket.testing_started": "testing",
    "ticket.approval_requested": "approval.in_progress",
    "ticket.approved": "approval.approved",
    "ticket.declined": "approval.declined",
    "ticket.resolved": "resolved",
    "ticket.closed": "closed",
    "ticket.reopened": "reopened",
}


def wire_time(moment: dt.datetime | None) -> str | None:
    """RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def read_plan(plan: list[Any]) -> tuple[PlanStep, ...]:
    """Steps from the wire: names, or {"stage": name, "gate": true}. The caller has checked the shape."""
    return tuple(
        PlanStep(item) if isinstance(item, str) else PlanStep(item["stage"], bool(item.get("gate"))) for item in plan
    )


def read_priority(word: str) -> int:
    """The rank of a priority's word; one that no ticket takes for an unknown word."""
    return Priority.__members__.get(word.upper(), 99)


def render_project(project: Project) -> dict[str, Any]:
    return {
        "project_id": project.key,
        "name": project.name,
        "tenant": project.tenant.slug,
        "prefix": project.prefix,
        "settings": {name: project.setting(name) for name in PROJECT_SETTINGS},
        "created_at": wire_time(project.created_at),
    }


def render_ticket(ticket: Ticket, assignees: Iterable[User] | None = None) -> dict[str, Any]:
    """What a list shows of a ticket. Its project, tenant and parent should be loaded, its assignees be loaded or given."""
    return {
        "ticket_id": ticket.key,
        "project_id": ticket.project.key,
        "tenant": ticket.tenant.slug,
        "title": ticket.title,
        "type": ticket.type,
        "priority": ticket.priority_word,
        "labels": list(ticket.labels),
        "assignees": [user.email for user in (ticket.assignees.all() if assignees is None else assignees)],
        "due_date": ticket.due_date.isoformat() if ticket.due_date else None,
        "parent": ticket.parent.key if ticket.parent else None,
        "state": ticket.state,
        "status": "closed" if ticket.is_closed else "open",
        "execution_plan": [step["stage"] for step in ticket.plan],
        "last_completed_stage": ticket.last_completed_stage,
        "current_stage": ticket.stage or None,
        "progress": ticket.progress,
        "round": ticket.round,
        "blocked": bool(getattr(ticket, "is_blocked", False)),
        "version": ticket.version,
        "created_at": wire_time(ticket.created_at),
        "updated_at": wire_time(ticket.updated_at),
        "closed_at": wire_time(ticket.closed_at),
    }


def render_ticket_in_full(ticket: Ticket) -> dict[str, Any]:
    """The ticket with its description, plan, relations, links and open work; six queries."""
    blockers = [
        {"ticket_id": key, "state": state}
        for key, state in ticket.depends_on.order_by("id").values_list("key", "state")
    ]
    return {
        **render_ticket(ticket),
        "blocked": any(blocker["state"] not in {"resolved", "completed"} for blocker in blockers),
        "description": ticket.description,
        "author": ticket.author.email,
        "plan": [
            {"stage": step.stage, "gate": step.gate, "done": number < ticket.progress}
            for number, step in enumerate(ticket.steps)
        ],
        "depends_on": blockers,
        "blocks": list(ticket.blocks.order_by("id").values_list("key", flat=True)[:200]),
        "children": list(ticket.children.order_by("id").values_list("key", flat=True)[:200]),
        "links": [render_link(link) for link in ticket.links.all()],
        "tasks": [render_task(task) for task in ticket.tasks.open().select_related("claimed_by", "ticket", "project")],
    }


def render_opened_ticket(ticket: Ticket, content: TicketContent) -> dict[str, Any]:
    """In full what `open_ticket` made of the content, without asking for relations that it cannot have yet."""
    if ticket.project.setting("queue_first_stage"):
        return render_ticket_in_full(ticket)
    return {
        **render_ticket(ticket, None if content.assignees else ()),
        "description": ticket.description,
        "author": ticket.author.email,
        "plan": [{"stage": step.stage, "gate": step.gate, "done": False} for step in ticket.steps],
        **{name: [] for name in ("depends_on", "blocks", "children", "links", "tasks")},
    }


def render_link(link: TicketLink) -> dict[str, Any]:
    return {
        "link_id": link.pk,
        "kind": link.kind,
        "url": link.url,
        "title": link.title,
        "created_at": wire_time(link.created_at),
    }


def render_comment(comment: Comment) -> dict[str, Any]:
    """A comment; the author and the ticket should be loaded."""
    return {
        "comment_id": comment.pk,
        "ticket_id": comment.ticket.key,
        "kind": comment.kind,
        "author": comment.author.email,
        "worker_type": comment.worker_type or None,
        "worker_id": comment.worker_id or None,
        "stage": comment.stage or None,
        "stage_number": comment.stage_number,
        "content": comment.content,
        "created_at": wire_time(comment.created_at),
    }


def render_task(task: StageTask) -> dict[str, Any]:
    """A task; its ticket, project and holder should be loaded."""
    return {
        "task_id": task.pk,
        "ticket_id": task.ticket.key,
        "project_id": task.project.key,
        "worker_type": task.worker_type,
        "queue_name": f"{task.worker_type}-queue",
        "stage_number": task.stage_number,
        "round": task.round,
        "state": task.state,
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "fence": task.fence,
        "worker_id": task.claimed_by.worker_id if task.claimed_by else None,
        "lease_until": wire_time(task.lease_until),
        "lease_seconds_left": task.seconds_left,
        "next_at": wire_time(task.next_at),
        "last_error": task.last_error or None,
        "created_at": wire_time(task.created_at),
        "claimed_at": wire_time(task.claimed_at),
        "finished_at": wire_time(task.finished_at),
    }


def render_claimed_task(task: StageTask) -> dict[str, Any]:
    """A task just claimed, with what a worker needs to begin."""
    return {
        **render_task(task),
        "ticket": render_ticket(task.ticket),
        "description": task.ticket.description,
    }


def render_completion(done: Completion) -> dict[str, Any]:
    return {
        "ticket_id": done.ticket.key,
        "completed_stage": done.task.worker_type if done.task else None,
        "last_completed_stage": done.ticket.last_completed_stage,
        "current_stage": done.ticket.stage or None,
        "plan_completed": not done.ticket.stage,
        "comment_id": done.comment.pk if done.comment else None,
        "next_task_id": done.next_task.pk if done.next_task else None,
        "late": done.late,
        "version": done.ticket.version,
    }


def render_worker(worker: Worker) -> dict[str, Any]:
    """A worker; its tenant, project and owner should be loaded, its load annotated."""
    return {
        "worker_id": worker.worker_id,
        "worker_type": worker.worker_type,
        "queue_name": worker.queue_name,
        "project_id": worker.project.key if worker.project else None,
        "tenant": worker.tenant.slug,
        "owner": worker.owner.email,
        "status": worker.status,
        "capabilities": list(worker.capabilities),
        "registered_at": wire_time(worker.registered_at),
        "last_seen_at": wire_time(worker.last_seen_at),
        "silence_seconds": worker.silence_seconds,
        "stopped_at": wire_time(worker.stopped_at),
        "stop_reason": worker.stop_reason or None,
    }


def render_event(fact: DomainEvent) -> dict[str, Any]:
    """A fact under its name on the wire, as `get_events` reads it."""
    about_ticket = fact.subject_type == "ticket"
    return {
        "event_id": fact.sequence,
        "event_type": EVENT_NAMES[fact.type],
        "type": fact.type,
        "ticket_id": fact.subject_id if about_ticket else None,
        "project_id": fact.data.get("project"),
        "tenant": fact.tenant.slug if fact.tenant else None,
        "worker_id": fact.data.get("worker_id") or None,
        "stage": fact.data.get("stage"),
        "reason": fact.data.get("reason") or fact.data.get("comment") or None,
        "actor": fact.actor_label,
        "processed": bool(getattr(fact, "processed", False)),
        "resolution": getattr(fact, "resolution", None) or None,
        "created_at": wire_time(fact.occurred_at),
        "data": fact.data,
    }


def render_claim_answer(answer: ClaimAnswer) -> dict[str, Any]:
    return {
        "claimable": answer.claimable,
        "reasons": [
            {"code": reason.code, "message": reason.message, **({"details": reason.details} if reason.details else {})}
            for reason in answer.reasons
        ],
    }
