"""Tickets go along with the issues of a Jira: opened, moved, changed, commented and stopped as Jira tells."""

from __future__ import annotations

import datetime as dt
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import holders_of
from core.errors import DomainError, WrongState
from events.connections.jira_moves import was_announced
from events.connections.marks import CHANGE, COMMENT, recall
from events.models import Connection
from tickets.models import Comment, JiraProject, Ticket, TicketIssue
from tickets.notifiers.jira_fields import PRIORITIES, label_there, shows
from tickets.notifiers.jira_ways import learn_step
from tickets.services.change import lock
from tickets.services.moves import close_ticket, move_ticket
from tickets.services.relations import link_ticket
from tickets.services.tickets import comment_on_ticket, edit_ticket, open_ticket
from tickets.states import CLOSED, DECISIONS, MOVES, TICKET, State
from tickets.types import ISSUE_LABEL, LinkKind, Priority, TicketContent, TicketType
from tickets.validation import MAX_LABELS, MAX_TITLE, without_controls

TYPES = {"sub-task": TicketType.SUBTASK} | {kind.value: kind for kind in TicketType}
LONGEST_LABEL = 50
# What brings a ticket to a state; decisions are for people who look.
_STEPS = (*(verb for verb in MOVES if verb not in DECISIONS), "complete", "stop")
_MARK = "jira:"


@dataclass(frozen=True, slots=True)
class Heard:
    """What Jira told of an issue: its id, what happened (created, updated, deleted, commented), when, and what it is like."""

    id: str
    what: str
    at: dt.datetime
    url: str
    title: str
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return str(self.told["key"])


def follow_issue(*, connection: Connection, heard: Heard) -> list[str]:
    """Do to the ticket what was done to its issue, in the name of the account that its Jira project names; what was done.

    Nothing for what we did ourselves there, for what is older than what was heard before, and for a state that the
    ticket is in already. Each step stands by itself: one that is refused is named with its reason.
    """
    if is_ours(connection, heard):
        return ["It was us."]
    jira = _jira_project(connection, heard)
    issue = _find(connection, heard)
    if issue is None:
        if heard.what == "deleted" or jira is None or not jira.opens_tickets or heard.told.get("done"):
            return []
        return _try(lambda: _open(jira, heard))
    return _follow(issue, heard, issue.jira.acts_as)


def is_ours(connection: Connection, heard: Heard) -> bool:
    """Whether we made that change or comment: by the account, unless people use it too, and by what we remember."""
    comment = heard.told.get("comment") or {}
    if heard.what == "commented":
        actor, kind, key = comment.get("actor", []), COMMENT, comment.get("id", "")
    else:
        actor, kind, key = heard.told.get("actor", []), CHANGE, heard.told.get("change", "")
    if connection.account and not connection.shared and connection.account in actor:
        return True
    if bool(key) and recall(connection, kind, str(key)) is not None:
        return True
    stepped = kind == CHANGE and "status" in heard.told.get("changed", []) and connection.account in actor
    return stepped and was_announced(connection, heard.key, str(heard.told.get("status", "")))


def _jira_project(connection: Connection, heard: Heard) -> JiraProject | None:
    found = JiraProject.objects.select_related("project__tenant", "acts_as", "connection")
    return found.filter(connection=connection, key__iexact=heard.told.get("project", "")).first()


def _find(connection: Connection, heard: Heard) -> TicketIssue | None:
    found = TicketIssue.objects.select_related(
        "ticket__project", "ticket__tenant", "jira__acts_as", "connection", "jira__connection"
    )
    return found.filter(connection=connection, issue_id=heard.id).first()


@transaction.atomic
def _open(jira: JiraProject, heard: Heard) -> list[str]:
    """A ticket under the issue's key, or the one that is there already, and both linked."""
    by = jira.acts_as
    ticket = _namesake(jira, heard)
    done = "opened" if ticket is None else "joined"
    if ticket is None:
        ticket = open_ticket(project=jira.project, content=_content(jira, heard), by=by, key=heard.key)
    elif ticket.issues.filter(connection=jira.connection).exists():
        return [f"{ticket.key} goes along with another issue already."]
    issue = TicketIssue.objects.create(
        ticket=ticket, jira=jira, connection=jira.connection, issue_id=heard.id, key=heard.key,
        status=heard.told.get("status", ""), heard_at=heard.at,
    )  # fmt: skip
    link_ticket(ticket=ticket, url=heard.url, by=by, kind=LinkKind.ISSUE, title=f"{heard.key} in Jira")
    return [done, *_move(issue, heard, by), *_say(issue, heard, by)]


def _namesake(jira: JiraProject, heard: Heard) -> Ticket | None:
    """The ticket of the issue's key, or the one that the issue was made for: its label says so."""
    labels = (str(label) for label in heard.told.get("labels", []))
    ours = [label.removeprefix(ISSUE_LABEL) for label in labels if label.startswith(ISSUE_LABEL)]
    tickets = Ticket.objects.select_related("project", "tenant").filter(tenant=jira.project.tenant)
    found = (tickets.filter(key__iexact=key).first() for key in (*ours, heard.key))
    return next((ticket for ticket in found if ticket is not None), None)


def _content(jira: JiraProject, heard: Heard) -> TicketContent:
    told = heard.told
    return TicketContent(
        title=_title(heard),
        description=without_controls(told.get("description", "")),
        type=TYPES.get(str(told.get("type", "")).lower(), TicketType.TASK),
        priority=PRIORITIES.get(str(told.get("priority", "")).lower(), Priority.MEDIUM),
        labels=_labels(told),
        assignees=_assignees(jira, told),
        due_date=_date(told.get("due", "")),
    )


def _title(heard: Heard) -> str:
    return without_controls(" ".join(heard.title.split()))[:MAX_TITLE] or heard.key


def _labels(told: dict[str, Any], ticket: Ticket | None = None) -> tuple[str, ...]:
    """Labels as we write them: those that the ticket has as it has them, without the one that an issue is found by."""
    known = {label_there(label): label for label in ticket.labels} if ticket else {}
    named = [str(label) for label in told.get("labels", []) if not str(label).startswith(ISSUE_LABEL)]
    words = (" ".join(without_controls(known.get(label, label)).replace(",", " ").split()) for label in named)
    labels = (word[:LONGEST_LABEL].strip() for word in words)
    return tuple(dict.fromkeys(label for label in labels if label))[:MAX_LABELS]


def _assignees(jira: JiraProject, told: dict[str, Any]) -> tuple[str, ...]:
    """Whoever of the tenant has the e-mail of the assignee there; nobody when Jira keeps it to itself."""
    email = str(told.get("assignee", ""))
    people = holders_of(Capability.VIEW_TICKETS, jira.project.tenant)
    known = people.filter(email__iexact=email).values_list("email", flat=True).first() if email else None
    return (known,) if known else ()


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        return None


@transaction.atomic
def _follow(issue: TicketIssue, heard: Heard, by: User) -> list[str]:
    """One at a time for each issue; what is older than what was heard before says only what was said."""
    current = TicketIssue.objects.select_for_update().get(pk=issue.pk)
    is_news = current.heard_at is None or heard.at >= current.heard_at
    if is_news:
        status = heard.told.get("status") or current.status
        TicketIssue.objects.filter(pk=issue.pk).update(
            heard_at=heard.at, key=heard.key, status=status, deleted=heard.what == "deleted"
        )
    step = heard.told.get("step") or {}
    learn_step(issue.jira, str(heard.told.get("type", "")), str(step.get("from", "")), str(step.get("to", "")))
    done: list[str] = []
    if heard.what == "deleted":
        done += _try(lambda: _stop(issue, f"{heard.key} was deleted in Jira.", by))
    elif heard.what == "updated" and is_news:
        done += _try(lambda: _change(issue, heard, by))
        if {"status", "resolution"} & set(heard.told.get("changed", [])):
            done += _move(issue, heard, by)
    return done + _say(issue, heard, by)


def _try(step: Any) -> list[str]:
    """What it did; a refusal of ours is told and hinders nothing else."""
    try:
        with transaction.atomic():
            done: list[str] = step()
            return done
    except DomainError as refusal:
        return [f"refused: {refusal.message}"]


def _stop(issue: TicketIssue, reason: str, by: User) -> list[str]:
    if issue.ticket.is_closed:
        return []
    close_ticket(ticket=issue.ticket, by=by, resolution="stopped", comment=reason)
    return ["stop"]


def _change(issue: TicketIssue, heard: Heard, by: User) -> list[str]:
    """Only what changed there and is not how the issue shows what is here, so that what people wrote here stays."""
    told, changed, ticket = heard.told, set(heard.told.get("changed", [])), issue.ticket
    given: dict[str, Any] = {}
    if "summary" in changed and not shows(ticket, "title", heard.title):
        given["title"] = _title(heard)
    if "description" in changed and not shows(ticket, "description", told.get("description", "")):
        given["description"] = without_controls(told.get("description", ""))
    priority = str(told.get("priority", "")).lower()
    if "priority" in changed and priority in PRIORITIES and not shows(ticket, "priority", priority):
        given["priority"] = PRIORITIES[priority]
    if "labels" in changed and not shows(ticket, "labels", told.get("labels", [])):
        given["labels"] = _labels(told, ticket)
    if "assignee" in changed and (not told.get("assignee") or _assignees(issue.jira, told)):
        given["assignees"] = _assignees(issue.jira, told)
    if "duedate" in changed and not shows(ticket, "due_date", told.get("due", "")):
        given["due_date"] = _date(told.get("due", "")) or ""
    if not given:
        return []
    edit_ticket(ticket=issue.ticket, by=by, **given)
    return [f"changed {', '.join(sorted(given))}"]


def _move(issue: TicketIssue, heard: Heard, by: User) -> list[str]:
    """To the state that the map has for the issue's status; nothing when it is in one of these already."""
    words = [word for word in issue.jira.states_for(heard.told.get("status", "")) if word in State.values]
    if not words:
        return []
    return _try(lambda: _walk(issue.ticket, words, heard.key, by))


@transaction.atomic
def _walk(ticket: Ticket, words: list[str], key: str, by: User) -> list[str]:
    current = lock(ticket)
    if current.state in words:
        return []
    verbs = way_to(State(current.state), State(words[0]))
    if verbs is None:
        raise WrongState(
            f"{ticket.key} is {current.state} and cannot become {words[0]} without a decision. Take it here.",
            details={"state": current.state},
        )
    for verb in verbs:
        if verb in {"complete", "stop"}:
            resolution = "completed" if verb == "complete" else "stopped"
            close_ticket(ticket=ticket, by=by, resolution=resolution, comment=f"{key} was closed in Jira.")
        else:
            move_ticket(ticket=ticket, verb=verb, by=by)
    return verbs


def way_to(start: State, goal: State) -> list[str] | None:
    """The fewest verbs from one state to another that take no decision and close nothing on the way; None: there are none."""
    ways: deque[tuple[State, list[str]]] = deque([(start, [])])
    seen = {start}
    while ways:
        state, verbs = ways.popleft()
        if state == goal:
            return verbs
        for verb in _STEPS:
            edge = TICKET.find(state, verb)
            target = State(edge.target) if edge else None
            if target is None or target in seen or (target in (*CLOSED, State.RESOLVED) and target != goal):
                continue
            seen.add(target)
            ways.append((target, [*verbs, verb]))
    return None


def _say(issue: TicketIssue, heard: Heard, by: User) -> list[str]:
    """The comment that came along, once."""
    said = heard.told.get("comment")
    if not said or not issue.jira.comments or not str(said.get("text", "")).strip():
        return []
    mark = f"{_MARK}{said['id']}"
    if recall(issue.connection, COMMENT, str(said["id"])) is not None:
        return []
    if Comment.objects.filter(ticket=issue.ticket, worker_id=mark).exists():
        return []
    content = without_controls(f"{said.get('author') or 'Someone'} in Jira:\n\n{str(said['text']).strip()}")
    return _try(lambda: _comment(issue.ticket, content, mark, by))


def _comment(ticket: Ticket, content: str, mark: str, by: User) -> list[str]:
    comment_on_ticket(ticket=ticket, by=by, content=content, worker_id=mark)
    return ["comment"]
