"""The facts that tickets and workers leave."""

from __future__ import annotations

import datetime as dt
from typing import Any

from accounts.models import User
from accounts.roles import Capability
from events.models import DomainEvent
from events.services import publish
from events.types import Audience, Subject
from tickets.models import Project, Ticket, Worker
from tickets.types import Priority

SUBJECT_TYPE = "ticket"
WORKER_SUBJECT_TYPE = "worker"
PROJECT_SUBJECT_TYPE = "project"
_AUDIENCE = Audience(Capability.VIEW_TICKETS)


def publish_about(
    ticket: Ticket,
    fact_type: str,
    *,
    by: User | None,
    data: dict[str, Any] | None = None,
    at: dt.datetime | None = None,
) -> DomainEvent:
    """The fact of a step, with what the ticket is like after it. Its project and tenant must be loaded."""
    standing = {
        "key": ticket.key,
        "title": ticket.title,
        "ticket_type": ticket.type,
        "priority": Priority(ticket.priority).word,
        "labels": list(ticket.labels),
        "project": ticket.project.key,
        "state": ticket.state,
        "version": ticket.version,
        "last_completed_stage": ticket.last_completed_stage,
        "next_stage": ticket.stage or None,
    }
    return publish(
        type=fact_type,
        subject=Subject(SUBJECT_TYPE, ticket.key, f"{ticket.key} {ticket.title}"),
        tenant=ticket.tenant,
        by=by,
        data=standing | (data or {}),
        audience=_AUDIENCE,
        at=at,
    )


def publish_about_worker(
    worker: Worker, fact_type: str, *, by: User | None, data: dict[str, Any] | None = None
) -> DomainEvent:
    """The fact of a worker coming or going. Its tenant must be loaded."""
    return publish(
        type=fact_type,
        subject=Subject(WORKER_SUBJECT_TYPE, worker.worker_id, worker.worker_id),
        tenant=worker.tenant,
        by=by,
        data={"worker_id": worker.worker_id, "worker_type": worker.worker_type} | (data or {}),
        audience=_AUDIENCE,
    )


def publish_about_project(project: Project, fact_type: str, *, by: User, data: dict[str, Any]) -> DomainEvent:
    """The fact of a change that holds for all tickets of the project. Its tenant must be loaded."""
    return publish(
        type=fact_type,
        subject=Subject(PROJECT_SUBJECT_TYPE, project.key, project.name),
        tenant=project.tenant,
        by=by,
        data={"project": project.key} | data,
        audience=_AUDIENCE,
    )
