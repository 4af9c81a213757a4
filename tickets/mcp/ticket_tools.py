"""Tools on tickets: find what is named, call one service, show what came of it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from accounts.authentication import require_scope
from accounts.models import User
from core.errors import InvalidInput
from tickets import selectors, services, wire
from tickets.mcp import schemas, shapes
from tickets.mcp.registry import DECIDE, READ, WRITE, Document, Effect, Form, tool
from tickets.models import Ticket
from tickets.selectors import TicketFilter
from tickets.services.change import load
from tickets.states import DECISIONS, MOVES, State
from tickets.types import TicketContent

ONE = {"ticket_id": schemas.TICKET_ID, "tenant": schemas.TENANT}
CHANGE = {**ONE, "version": schemas.VERSION}
FIELDS = schemas.TICKET_FIELDS


def find(by: User, form: Form) -> Ticket:
    """The ticket that a call names."""
    return selectors.find_ticket(user=by, key=form["ticket_id"], tenant=form.get("tenant", ""))


def show(ticket: Ticket) -> Document:
    return wire.render_ticket_in_full(load(ticket))


def _told_created(made: Document) -> str:
    """The sentence of the original design, with its five fields."""
    five = {name: made[name] for name in ("ticket_id", "project_id", "title", "execution_plan")}
    return f"Ticket created successfully: {json.dumps({**five, 'status': made['last_completed_stage']})}"


@tool(
    "Open a ticket",
    takes={
        **FIELDS,
        "ticket_id": schemas.text("Its key, such as TICKET-001; made from the project's prefix if left out."),
        "project_id": schemas.needed_text("The project's repository, such as test/project; made if there is none yet."),
        "tenant": schemas.TENANT,
        "type": {**FIELDS["type"], "default": "task"},
        "priority": {**FIELDS["priority"], "default": "medium"},
    },
    needs=["project_id", "title"],
    answers=shapes.TICKET,
    scope=WRITE,
    effect=Effect.ADDS,
    told=_told_created,
)
def create_ticket(by: User, form: Form) -> Document:
    """Open a ticket with its execution plan, the worker types of its stages in order. Queue the first with queue_task."""
    due_date = _day(form)
    tenant = selectors.named_tenant(user=by, tenant=form.get("tenant", ""))
    content = TicketContent(
        title=form["title"],
        description=form.get("description", ""),
        plan=wire.read_plan(form.get("execution_plan", [])),
        type=form["type"],
        priority=wire.read_priority(form["priority"]),
        labels=tuple(form.get("labels", ())),
        assignees=tuple(form.get("assignees", ())),
        due_date=due_date or None,
        parent=form.get("parent", ""),
    )
    project = services.ensure_project(key=form["project_id"], by=by, tenant=tenant)
    ticket = services.open_ticket(project=project, content=content, by=by, key=form.get("ticket_id", ""))
    return wire.render_opened_ticket(ticket, content)


def _day(form: Form) -> Any:
    """The day of a form; "" for none, None when the form does not speak of it."""
    text = form.get("due_date")
    if not text:
        return text
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput({"due_date": ["Give a day such as 2030-12-24."]}) from error


@tool(
    "Read a ticket",
    takes={**ONE, "comments_after": schemas.number("`next_comment` of the answer before, for the comments after it.")},
    needs=["ticket_id"],
    answers=shapes.TICKET_WITH_COMMENTS,
    scope=READ,
    effect=Effect.READS,
)
def get_ticket(by: User, form: Form) -> Document:
    """One ticket with its plan, relations, links, open tasks, and its comments, oldest first, 200 at a time."""
    ticket = find(by, form)
    later = ticket.comments.select_related("author", "ticket").filter(pk__gt=form.get("comments_after", 0))
    comments = list(later.order_by("pk")[:201])
    return {
        **wire.render_ticket_in_full(ticket),
        "comments": [wire.render_comment(comment) for comment in comments[:200]],
        "next_comment": comments[199].pk if len(comments) > 200 else None,
    }


@tool(
    "List tickets",
    takes={
        **schemas.page(),
        "project_id": schemas.text("Only this project's."),
        "tenant": schemas.text("Only this tenant's (slug)."),
        "status": schemas.word("Only open or only closed ones.", ["open", "closed"]),
        "state": {"type": "array", "items": {"type": "string", "enum": State.values}, "maxItems": len(State.values),
                  "description": "Only in any of these states."},
        "stage": schemas.text("Only those whose next stage is this worker type."),
        "type": FIELDS["type"],
        "priority": FIELDS["priority"],
        "label": schemas.text("Only with this label.", longest=50),
        "assignee": schemas.text("Only of this person (e-mail address)."),
        "author": schemas.text("Only opened by this person (e-mail address)."),
        "parent": schemas.text("Only parts of this ticket (key)."),
        "blocked": schemas.flag("Only those that wait for another ticket, or only those that do not."),
        "q": schemas.text("Words of key, title and description; or the beginning of a key."),
    },
    answers=shapes.page_of("tickets", shapes.TICKET_ROW),
    scope=READ,
    effect=Effect.READS,
)  # fmt: skip
def list_tickets(by: User, form: Form) -> Document:
    """Tickets that you may see, newest first."""
    same = ("tenant", "status", "stage", "type", "label", "assignee", "author", "parent", "q")
    narrowed = TicketFilter(
        project=form.get("project_id", ""),
        states=tuple(form.get("state", ())),
        priority=wire.read_priority(form["priority"]) if "priority" in form else None,
        blocked=form.get("blocked"),
        **{name: form[name] for name in same if name in form},
    )
    found, following = selectors.page_tickets(
        user=by, narrowed=narrowed, before=form.get("cursor"), limit=form["limit"]
    )
    return {"tickets": [wire.render_ticket(ticket) for ticket in found], "next_cursor": following}


@tool(
    "Change a ticket",
    takes={**CHANGE, **FIELDS},
    needs=["ticket_id"],
    answers=shapes.TICKET,
    scope=WRITE,
    effect=Effect.SETS,
)
def edit_ticket(by: User, form: Form) -> Document:
    """Change what is given, leave the rest. With `version` only if nobody changed it since you read it."""
    changes: dict[str, Any] = {name: form[name] for name in ("title", "description", "type", "parent") if name in form}
    changes |= {name: tuple(form[name]) for name in ("labels", "assignees") if name in form}
    if "due_date" in form:
        changes["due_date"] = _day(form)
    if "priority" in form:
        changes["priority"] = wire.read_priority(form["priority"])
    if "execution_plan" in form:
        changes["plan"] = wire.read_plan(form["execution_plan"])
    return show(services.edit_ticket(ticket=find(by, form), by=by, version=form.get("version"), **changes))


@tool(
    "Comment on a ticket",
    takes={
        **ONE,
        "content": schemas.needed_text("Markdown.", longest=schemas.MAX_TEXT),
        "worker_type": schemas.text("A label: which type of worker says it."),
        "worker_id": schemas.text("A label: which worker says it. The author is the account of the token."),
        "stage_number": schemas.number("The stage that it is about, 1 for the first.", least=-1, most=9999),
    },
    needs=["ticket_id", "content"],
    answers=shapes.COMMENT,
    scope=WRITE,
    effect=Effect.ADDS,
    told=lambda made: f"Comment added successfully: {json.dumps(made)}",
)
def add_ticket_comment(by: User, form: Form) -> Document:
    """Say something on the ticket's record. To complete a stage use complete_stage, which takes a comment too."""
    comment = services.comment_on_ticket(
        ticket=find(by, form), by=by, content=form["content"], worker_type=form.get("worker_type", ""),
        worker_id=form.get("worker_id", ""), stage_number=form.get("stage_number"),
    )  # fmt: skip
    return wire.render_comment(comment)


@tool(
    "Set the completed stage",
    takes={
        **CHANGE,
        "new_stage": schemas.needed_text("The next stage, an earlier one to go back after it, or Planned."),
        "comment": schemas.COMMENT,
    },
    needs=["ticket_id", "new_stage"],
    answers=shapes.TICKET,
    scope=WRITE,
    effect=Effect.ENDS,
)
def update_ticket_stage(by: User, form: Form) -> Document:
    """Say by hand which stage was completed last; for coordinators. Workers use complete_stage."""
    return show(
        services.set_stage(
            ticket=find(by, form), last_completed_stage=form["new_stage"], by=by, comment=form.get("comment", ""),
            version=form.get("version"),
        )
    )  # fmt: skip


@tool(
    "Close a ticket",
    takes={
        **CHANGE,
        "status": schemas.word("How it ends.", ["completed", "stopped", "Completed", "Stopped"], default="completed"),
        "comment": schemas.COMMENT,
    },
    needs=["ticket_id"],
    answers=shapes.TICKET,
    scope=WRITE,
    effect=Effect.ENDS,
    told=lambda done: f"Ticket closed successfully: {json.dumps(done)}",
)
def close_ticket(by: User, form: Form) -> Document:
    """End a ticket as completed or stopped; its open tasks are canceled, also claimed ones."""
    return show(
        services.close_ticket(
            ticket=find(by, form), by=by, resolution=form["status"].lower(), comment=form.get("comment", ""),
            version=form.get("version"),
        )
    )  # fmt: skip


@tool(
    "Take a step of a ticket's life",
    takes={**CHANGE, "verb": schemas.word("Which step.", MOVES), "comment": schemas.COMMENT},
    needs=["ticket_id", "verb"],
    answers=shapes.TICKET,
    scope=WRITE,
    effect=Effect.SETS,
)
def move_ticket(by: User, form: Form) -> Document:
    """Start, ask for review or approval, resolve, reopen. Approving and declining is for people (tickets:decide)."""
    ticket = find(by, form)
    if form["verb"] in DECISIONS and by.acting_token is not None:
        require_scope(by.acting_token, DECIDE)
    return show(
        services.move_ticket(
            ticket=ticket, verb=form["verb"], by=by, comment=form.get("comment", ""), version=form.get("version")
        )
    )


@tool(
    "Go back a stage",
    takes={
        **CHANGE,
        "reason": schemas.needed_text("What has to be done again, and why.", longest=schemas.MAX_TEXT),
        "to_step": schemas.number("Which stage, 0 for the first; the one before if left out.", most=1000),
    },
    needs=["ticket_id", "reason"],
    answers=shapes.TICKET,
    scope=WRITE,
    effect=Effect.ENDS,
)
def go_back_a_stage(by: User, form: Form) -> Document:
    """Send the ticket back to an earlier stage; whoever works on it now loses the task."""
    ticket = find(by, form)
    services.go_back_a_stage(
        ticket=ticket, by=by, reason=form["reason"], to_step=form.get("to_step"), version=form.get("version")
    )
    return show(ticket)


@tool(
    "Decide a gate",
    takes={
        **CHANGE,
        "approve": schemas.flag("true passes the gate, false declines."),
        "comment": schemas.text("Needed to decline.", longest=schemas.MAX_TEXT),
        "back_to_step": schemas.number("When declining, where the work goes on; 0 for the first stage.", most=1000),
    },
    needs=["ticket_id", "approve"],
    answers=shapes.TICKET,
    scope=DECIDE,
    effect=Effect.ENDS,
)
def decide_gate(by: User, form: Form) -> Document:
    """Pass the gate that the plan waits at, or decline. For people with a token that may decide, never for workers."""
    return show(
        services.decide_gate(
            ticket=find(by, form), by=by, approve=form["approve"], comment=form.get("comment", ""),
            back_to_step=form.get("back_to_step"), version=form.get("version"),
        )
    )  # fmt: skip


BLOCKER = {**ONE, "blocker": schemas.needed_text("Key of the ticket that has to come first; same tenant.")}


@tool(
    "Make a ticket wait for another",
    takes=BLOCKER,
    needs=["ticket_id", "blocker"],
    answers=shapes.TICKET,
    scope=WRITE,
    effect=Effect.SETS,
)
def add_dependency(by: User, form: Form) -> Document:
    """The ticket's stages are not claimed before the other is resolved or completed. A circle is refused."""
    ticket = find(by, form)
    blocker = selectors.find_ticket(user=by, key=form["blocker"], tenant=ticket.tenant.slug)
    services.add_dependency(ticket=ticket, blocker=blocker, by=by)
    return show(ticket)


@tool(
    "Let a ticket wait no longer",
    takes=BLOCKER,
    needs=["ticket_id", "blocker"],
    answers=shapes.TICKET,
    scope=WRITE,
    effect=Effect.SETS,
)
def remove_dependency(by: User, form: Form) -> Document:
    """The ticket waits for the other no longer."""
    ticket = find(by, form)
    blocker = selectors.find_ticket(user=by, key=form["blocker"], tenant=ticket.tenant.slug)
    services.remove_dependency(ticket=ticket, blocker=blocker, by=by)
    return show(ticket)


@tool(
    "Link a ticket",
    takes={
        **ONE,
        "url": schemas.needed_text("An http(s) address.", longest=1000),
        "kind": schemas.word("What is there.", schemas.LINK_KINDS, default="other"),
        "title": schemas.text("What it is called.", longest=300),
    },
    needs=["ticket_id", "url"],
    answers=shapes.LINK,
    scope=WRITE,
    effect=Effect.ADDS,
)
def link_ticket(by: User, form: Form) -> Document:
    """Say where else the ticket is spoken of: a pull request, a build, an issue of another tracker."""
    link = services.link_ticket(
        ticket=find(by, form), by=by, url=form["url"], kind=form["kind"], title=form.get("title", "")
    )
    return wire.render_link(link)
