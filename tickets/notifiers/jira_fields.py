"""What of a ticket an issue shows: compared in Jira's own form, so that what we told never comes back as news, and told."""

from __future__ import annotations

from typing import Any

from events.cdevents.webhooks.jira import LONGEST, text_of
from events.connections.jira import LONGEST_TEXT, Jira, document, is_plain
from events.models import DomainEvent
from events.types import DeliveryRefused
from tickets.models import Ticket, TicketIssue
from tickets.types import ISSUE_LABEL, Priority

# Ours and Jira's names of what is told.
FIELDS = {
    "title": "summary", "description": "description", "priority": "priority", "labels": "labels", "due_date": "duedate",
}  # fmt: skip
# From Jira's words; the first of a priority is the one we prefer there.
PRIORITIES = {
    "highest": Priority.URGENT, "blocker": Priority.URGENT, "critical": Priority.URGENT, "urgent": Priority.URGENT,
    "high": Priority.HIGH, "major": Priority.HIGH, "medium": Priority.MEDIUM, "normal": Priority.MEDIUM,
    "low": Priority.LOW, "lowest": Priority.LOW, "minor": Priority.LOW, "trivial": Priority.LOW,
}  # fmt: skip
LONGEST_SUMMARY = 250


def is_told(fact: DomainEvent) -> bool:
    """Whether an edit changed something that issues show."""
    return bool(FIELDS.keys() & set(fact.data.get("changed", [])))


def label_there(label: str) -> str:
    """Labels in Jira have no blanks."""
    return "-".join(label.split())


def shows(ticket: Ticket, name: str, there: Any) -> bool:
    """Whether that is how the issue shows what the ticket has: cut, without blanks or empty lines, in its words."""
    if name == "title":
        return _summary(ticket) == " ".join(str(there).split())
    if name == "description":
        return _lines(ticket.description) == _lines(str(there))
    if name == "priority":
        return PRIORITIES.get(str(there).lower()) == ticket.priority
    if name == "labels":
        return {label_there(label) for label in ticket.labels} == {str(each) for each in there if not _is_ours(each)}
    return (ticket.due_date.isoformat() if ticket.due_date else "") == str(there or "")


def tell_edit(jira: Jira, issue: TicketIssue, fact: DomainEvent) -> dict[str, str]:
    """Bring the issue's fields to what the ticket has now; by field, what was done.

    What Jira shows already is left, and so is what somebody changed there after the edit: the later one holds, and
    comes here by its webhook. DeliveryRefused when nothing of it can be edited there.
    """
    told: dict[str, str] = {}
    wanted = []
    names = [name for name in fact.data["changed"] if name in FIELDS]
    seen = jira.look(issue.key, *(FIELDS[name] for name in names))
    for name in names:
        there = seen["fields"].get(FIELDS[name])
        later = jira.changed_later(seen, FIELDS[name], fact.occurred_at)
        if shows(issue.ticket, name, _read(name, there)):
            told[name] = "is so there already"
        elif later:
            told[name] = f"{later} changed it there later; that holds"
        elif name == "description" and not is_plain(there):
            told[name] = "has more than text there, which ours would overwrite; it was left"
        else:
            wanted.append(name)
    return told | (_write(jira, issue, fact, wanted, seen["fields"]) if wanted else {})


def _write(
    jira: Jira, issue: TicketIssue, fact: DomainEvent, wanted: list[str], there: dict[str, Any]
) -> dict[str, str]:
    offered = jira.editable(issue.key)
    fields: dict[str, Any] = {}
    update: dict[str, Any] = {}
    told = dict.fromkeys(wanted, "is told")
    for name in wanted:
        field = FIELDS[name]
        if field not in offered:
            told[name] = "cannot be edited there by our account"
        elif name == "labels":
            update[field] = _label_changes(issue.ticket, fact, there.get(field) or [])
        elif name == "priority":
            fields[field] = _priority(issue.ticket, offered[field])
        else:
            fields[field] = _value(jira, issue.ticket, name)
    if "priority" in fields and fields["priority"] is None:
        del fields["priority"]
        told["priority"] = "has no such value there"
    if not fields and not update:
        names = ", ".join(FIELDS[name] for name in wanted)
        raise DeliveryRefused(
            f"Jira lets our account change nothing of this on {issue.key}: {names}. Put it on the edit screen and grant"
            " the right to edit, or switch off that edits are told in the Jira project."
        )
    if fields or any(update.values()):
        jira.edit(issue.key, fields, {name: changes for name, changes in update.items() if changes})
    return told


def _value(jira: Jira, ticket: Ticket, name: str) -> Any:
    if name == "title":
        return _summary(ticket)
    if name == "due_date":
        return ticket.due_date.isoformat() if ticket.due_date else None
    text = ticket.description[:LONGEST_TEXT]
    return document(text) if jira.cloud else text


def _label_changes(ticket: Ticket, fact: DomainEvent, there: list[Any]) -> list[dict[str, str]]:
    """Only what was added or taken away here, so that labels which people gave there stay."""
    present = {str(label) for label in there}
    ours = dict.fromkeys(label_there(label) for label in ticket.labels)
    gone = dict.fromkeys(label_there(str(label)) for label in fact.data.get("labels_removed", []))
    return [
        *({"add": label} for label in ours if label not in present),
        *({"remove": label} for label in gone if label in present and label not in ours),
    ]


def _priority(ticket: Ticket, offered: dict[str, Any]) -> dict[str, str] | None:
    values = {str(each.get("name", "")).lower(): str(each["id"]) for each in offered.get("allowedValues", [])}
    words = (word for word, priority in PRIORITIES.items() if priority == ticket.priority and word in values)
    word = next(words, None)
    return {"id": values[word]} if word else None


def _read(name: str, value: Any) -> Any:
    """A field of REST as webhooks are read."""
    if name == "description":
        return text_of(value)[:LONGEST]
    if name == "priority":
        return (value or {}).get("name", "")
    return value or ([] if name == "labels" else "")


def _summary(ticket: Ticket) -> str:
    return " ".join(ticket.title.split())[:LONGEST_SUMMARY].strip()


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text[:LONGEST].splitlines() if line.strip()]


def _is_ours(label: Any) -> bool:
    return str(label).startswith(ISSUE_LABEL)
