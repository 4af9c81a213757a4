"""One change of a ticket: locked, checked against the version the caller read, written with the next version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import connection

from accounts.models import Tenant, User
from core.clock import now
from core.errors import StaleState, WrongState
from core.rows import build, columns, insert, width
from core.sql import run
from tickets.errors import VersionConflict
from tickets.models import Comment, Project, Ticket
from tickets.services.facts import publish_about
from tickets.states import CLOSED, TICKET, State
from tickets.types import PLANNED, CommentKind

_LOCK = f"""
SELECT {columns(Ticket, "ticket")}, {columns(Project, "project")}
FROM tickets_ticket ticket JOIN tickets_project project ON project.id = ticket.project_id
WHERE ticket.id = %s FOR NO KEY UPDATE OF ticket
"""  # noqa: S608 (our own columns)


def read_ticket(row: Sequence[Any], tenant: Tenant) -> Ticket:
    """The ticket with its project, from the columns of both."""
    ticket = build(Ticket, row[: width(Ticket)])
    ticket.project = build(Project, row[width(Ticket) :])
    ticket.tenant = ticket.project.tenant = tenant
    return ticket


def load(ticket: Ticket) -> Ticket:
    """The ticket as it is now, with its project and tenant."""
    return Ticket.objects.select_related("project", "tenant", "author", "parent").get(pk=ticket.pk)


def lock(ticket: Ticket, version: int | None = None) -> Ticket:
    """The ticket as it is now, locked until the commit; VersionConflict when it is not at `version` any more.

    Every verb that changes a ticket and its tasks locks the ticket first, then the tasks. Comments and tasks may be
    inserted meanwhile, hence the weaker of the two row locks.
    """
    assert connection.in_atomic_block, "a change and its fact belong in one transaction"
    current = read_ticket(run(_LOCK, [ticket.pk])[0], ticket.tenant)
    if version is not None and current.version != version:
        raise VersionConflict(
            f"{current.key} is at version {current.version} now, you read {version}. Read it again, then change it.",
            field="version",
            details={"version": current.version},
        )
    return current


def save(ticket: Ticket, *, at: dt.datetime | None = None, **updates: Any) -> Ticket:
    """Write `updates` and the next version; StaleState when someone else was faster (only without a lock)."""
    moment = at or now()
    changed = Ticket.objects.filter(pk=ticket.pk, version=ticket.version).update(
        version=ticket.version + 1, updated_at=moment, **updates
    )
    if not changed:
        raise StaleState(f"{ticket.key} changed in this very moment. Try again.")
    for name, value in (updates | {"version": ticket.version + 1, "updated_at": moment}).items():
        setattr(ticket, name, value)
    return ticket


def step_to(
    ticket: Ticket, verb: str, *, by: User | None, data: dict[str, Any] | None = None, **updates: Any
) -> Ticket:
    """Take `verb` from the locked ticket's state, with `updates`, and publish its fact; WrongState if not permitted."""
    edge = TICKET.find(ticket.state, verb)
    if edge is None:
        raise wrong_state(ticket, verb)
    before, moment = ticket.state, now()
    if (edge.target in CLOSED) != (before in CLOSED):
        updates["closed_at"] = moment if edge.target in CLOSED else None
    save(ticket, at=moment, state=edge.target, **updates)
    publish_about(ticket, edge.fact, by=by, data={"prev_state": before, **(data or {})}, at=moment)
    return ticket


def wrong_state(ticket: Ticket, verb: str) -> WrongState:
    """The refusal for a step that is not possible now, with those that are."""
    state = State(ticket.state).label.lower()
    return WrongState(
        f"Cannot {verb.replace('_', ' ')} {ticket.key}: it is {state}.",
        code="ticket_closed" if ticket.is_closed else "wrong_state",
        details={"state": ticket.state, "possible": list(TICKET.verbs(ticket.state))},
    )


def check_unclosed(ticket: Ticket, verb: str) -> None:
    if ticket.is_closed:
        raise WrongState(
            f"Cannot {verb} {ticket.key}: it is closed ({ticket.state}). Reopen it first.",
            code="ticket_closed",
            details={"state": ticket.state},
        )


def standing_at(ticket: Ticket, progress: int) -> dict[str, Any]:
    """The columns that say how far the plan is done, for `progress` steps done."""
    return {
        "progress": progress,
        "stage": ticket.step(progress).stage if progress < len(ticket.plan) else "",
        "last_completed_stage": ticket.step(progress - 1).stage if progress else PLANNED,
    }


def say(ticket: Ticket, by: User, content: str, kind: str = CommentKind.COMMENT, **about: Any) -> Comment | None:
    """A comment in the running verb; nothing for an empty one."""
    if not content:
        return None
    comment = Comment(ticket=ticket, author=by, kind=kind, content=content, **about)
    insert(comment)
    return comment
