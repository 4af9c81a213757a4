"""Projects, tickets and workers for the tests of tickets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from tickets.models import Project, StageTask, Ticket, Worker
from tickets.services import claim_task, ensure_project, open_ticket, queue_task, register_worker
from tickets.types import PlanStep, TicketContent


def steps(*names: str) -> tuple[PlanStep, ...]:
    """A plan from names; a leading `?` makes a gate."""
    return tuple(PlanStep(name.removeprefix("?"), name.startswith("?")) for name in names)


def ticket_content(*plan: str, **changes: Any) -> TicketContent:
    fields: dict[str, Any] = {
        "title": "Implement user authentication",
        "description": "Create secure user authentication system",
        "plan": steps(*(plan or ("architect", "developer", "tester"))),
    }
    return TicketContent(**(fields | changes))


def expire(task: StageTask) -> None:
    """Let the lease of a claimed task run out."""
    StageTask.objects.filter(pk=task.pk).update(lease_until="2000-01-01T00:00:00Z")


@pytest.fixture
def project(tenant, devops) -> Project:
    return ensure_project(key="test/project", by=devops, tenant=tenant)


@pytest.fixture
def make_ticket(project, devops) -> Callable[..., Ticket]:
    def make(
        key: str = "", *plan: str, by: User | None = None, in_project: Project | None = None, **changes: Any
    ) -> Ticket:
        return open_ticket(
            project=in_project or project, content=ticket_content(*plan, **changes), by=by or devops, key=key
        )

    return make


@pytest.fixture
def ticket(make_ticket) -> Ticket:
    """TICKET-001: architect, developer, tester; nothing queued yet."""
    return make_ticket("TICKET-001")


@pytest.fixture
def make_worker(tenant, worker) -> Callable[..., Worker]:
    def make(worker_type: str, name: str = "", by: User | None = None, **changes: Any) -> Worker:
        return register_worker(
            worker_id=name or f"{worker_type}-1", worker_type=worker_type, tenant=tenant, by=by or worker, **changes
        )

    return make


@pytest.fixture
def claimed(ticket, make_worker, devops, worker) -> StageTask:
    """The architect stage of TICKET-001, claimed by architect-1."""
    architect = make_worker("architect")
    queue_task(ticket=ticket, by=devops)
    task = claim_task(worker=architect, by=worker)
    assert task is not None
    return task
