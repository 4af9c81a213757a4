"""Open, edit and comment on tickets."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import holders_of
from core.errors import Conflict, InvalidInput
from core.rows import insert
from tickets import permissions
from tickets.models import Comment, Project, StageTask, Ticket
from tickets.services.change import load, lock, save
from tickets.services.facts import publish_about
from tickets.services.plans import check_plan_change
from tickets.services.projects import next_key
from tickets.services.queue import insert_next_task
from tickets.services.relations import check_parent, lock_relations
from tickets.states import TASK_OPEN
from tickets.types import CommentKind, PlanStep, TicketContent
from tickets.validation import clean_content, clean_key, clean_text


def open_ticket(*, project: Project, content: TicketContent, by: User, key: str = "") -> Ticket:
    """A ticket in `open`, planned and not begun; its description is its first comment. Leaves `ticket.opened`.

    Without `key` the project's prefix makes one. NotAllowed without the right, InvalidInput with every fault, Conflict
    (ticket_exists) when the tenant has a ticket with this key. The project's setting decides whether the first stage
    is queued at once.
    """
    permissions.check_can_edit(by, project.tenant)
    clean_content(content)
    key = clean_key("ticket_id", key) if key else ""
    try:
        with transaction.atomic():
            return _insert(project, content, by, key)
    except IntegrityError as error:
        if "ticket_key_once_per_tenant" not in str(error):
            raise
        raise Conflict(
            f"There is a ticket {key} already. Choose another key, or change that one.",
            code="ticket_exists",
            field="ticket_id",
        ) from error


def _insert(project: Project, content: TicketContent, by: User, key: str) -> Ticket:
    ticket = Ticket(
        tenant=project.tenant,
        project=project,
        key=key or _free_key(project),
        author=by,
        title=content.title.strip(),
        description=content.description,
        type=content.type,
        priority=content.priority,
        labels=list(content.labels),
        due_date=content.due_date,
        plan=[step.as_json() for step in content.plan],
        stage=content.plan[0].stage if content.plan else "",
    )
    ticket.parent = find_parent(ticket, content.parent)
    first = Comment(
        author=by, kind=CommentKind.DESCRIPTION, content=content.description, worker_type="coordinator",
        worker_id="coordinator",
    )  # fmt: skip
    insert(ticket, first if content.description else None, link="ticket_id")
    if content.assignees:
        ticket.assignees.set(find_people(ticket, content.assignees))
    if project.setting("queue_first_stage"):
        insert_next_task(ticket)
    publish_about(ticket, "ticket.opened", by=by, data={"execution_plan": ticket.plan})
    return ticket


def _free_key(project: Project) -> str:
    """The next generated key that nobody gave to a ticket by hand."""
    while True:
        key = next_key(project)
        if not Ticket.objects.filter(tenant=project.tenant, key__iexact=key).exists():
            return key


def find_people(ticket: Ticket, emails: tuple[str, ...]) -> list[User]:
    """The accounts with these e-mails who may see tickets of the tenant; InvalidInput names the others."""
    people = {user.email.lower(): user for user in holders_of(Capability.VIEW_TICKETS, ticket.tenant).filter(
        email__in=list(emails)
    )}  # fmt: skip
    unknown = [email for email in emails if email.lower() not in people]
    if unknown:
        raise InvalidInput({"assignees": [f"Nobody of {ticket.tenant.slug} is called {unknown[0]}."]})
    return list(people.values())


def find_parent(ticket: Ticket, key: str) -> Ticket | None:
    """The ticket of the same tenant with this key; InvalidInput when there is none."""
    if not key:
        return None
    parent = Ticket.objects.filter(tenant_id=ticket.tenant_id, key__iexact=key).first()
    if parent is None:
        raise InvalidInput({"parent": [f"There is no ticket {key[:100]} in this tenant."]})
    return parent


EDITABLE = ("title", "description", "type", "priority", "labels", "due_date")


@transaction.atomic
def edit_ticket(
    *,
    ticket: Ticket,
    by: User,
    version: int | None = None,
    title: str | None = None,
    description: str | None = None,
    type: str | None = None,
    priority: int | None = None,
    labels: tuple[str, ...] | None = None,
    assignees: tuple[str, ...] | None = None,
    due_date: dt.date | str | None = None,
    parent: str | None = None,
    plan: tuple[PlanStep, ...] | None = None,
) -> Ticket:
    """Change what is given, leave the rest; "" takes away a due date or a parent.

    Leaves `ticket.edited` with the fields that changed; changing nothing leaves nothing. VersionConflict when `version`
    is not the ticket's any more, Conflict (stage_already_done, stage_claimed) for a plan that contradicts what was
    done, NotAllowed (gate_protected) for taking away a gate without the right to decide.
    """
    permissions.check_can_edit(by, ticket.tenant)
    current = lock(ticket, version)
    before = _content_of(current)
    given: dict[str, Any] = {
        "title": title.strip() if title is not None else None, "description": description, "type": type,
        "priority": priority, "labels": labels, "assignees": assignees, "plan": plan, "parent": parent,
    }  # fmt: skip
    after = dataclasses.replace(before, **{name: value for name, value in given.items() if value is not None})
    if due_date is not None:
        after = dataclasses.replace(after, due_date=due_date if isinstance(due_date, dt.date) else None)
    changed = [
        field.name for field in dataclasses.fields(after) if getattr(after, field.name) != getattr(before, field.name)
    ]
    if not changed:
        return load(current)
    clean_content(after)
    _write(current, after, changed, by)
    told: dict[str, Any] = {"changed": changed, "execution_plan": current.plan}
    if removed := [label for label in before.labels if label not in after.labels]:
        told["labels_removed"] = removed
    publish_about(current, "ticket.edited", by=by, data=told)
    return load(current)


def _content_of(ticket: Ticket) -> TicketContent:
    return TicketContent(
        title=ticket.title,
        description=ticket.description,
        plan=tuple(ticket.steps),
        type=ticket.type,
        priority=ticket.priority,
        labels=tuple(ticket.labels),
        assignees=tuple(sorted(ticket.assignees.values_list("email", flat=True))),
        due_date=ticket.due_date,
        parent=ticket.parent.key if ticket.parent else "",
    )


def _write(ticket: Ticket, content: TicketContent, changed: list[str], by: User) -> None:
    updates: dict[str, Any] = {name: getattr(content, name) for name in EDITABLE if name in changed}
    if "labels" in updates:
        updates["labels"] = list(content.labels)
    if "plan" in changed:
        updates |= check_plan_change(ticket, content.plan, by)
    if "parent" in changed:
        lock_relations(ticket)
        updates["parent"] = check_parent(ticket, find_parent(ticket, content.parent))
    if "assignees" in changed:
        ticket.assignees.set(find_people(ticket, content.assignees))
    save(ticket, **updates)
    if "description" in changed:
        ticket.comments.filter(kind=CommentKind.DESCRIPTION).update(content=content.description)
    if "priority" in changed:
        StageTask.objects.filter(ticket=ticket, state__in=TASK_OPEN).update(priority=content.priority)


@transaction.atomic
def comment_on_ticket(
    *,
    ticket: Ticket,
    by: User,
    content: str,
    worker_type: str = "",
    worker_id: str = "",
    stage_number: int | None = None,
) -> Comment:
    """Say something on the record, closed tickets included; leaves `ticket.commented`.

    The author is the account; `worker_type`, `worker_id` and `stage_number` (1 for the first stage; default: the one
    that is next) are labels. InvalidInput for an empty or overlong text.
    """
    permissions.check_can_comment(by, ticket.tenant)
    content = clean_text("content", content, minimum=1, what="comment")
    if stage_number is None:
        stage_number = min(ticket.progress + 1, len(ticket.plan))
    comment = Comment(
        ticket=ticket,
        author=by,
        content=content,
        worker_type=clean_text("worker_type", worker_type, longest=100),
        worker_id=clean_text("worker_id", worker_id, longest=200),
        stage=ticket.step(stage_number - 1).stage if 0 < stage_number <= len(ticket.plan) else "",
        stage_number=_clean_number(stage_number),
    )
    insert(comment)
    said = {"comment_id": comment.pk, "content": content[:500], "worker_id": worker_id, "stage_number": stage_number}
    publish_about(ticket, "ticket.commented", by=by, data=said)
    return comment


def _clean_number(number: int) -> int:
    if not -1 <= number <= 9999:
        raise InvalidInput({"stage_number": ["Choose the number of a stage: 1 for the first, 0 for none."]})
    return number
