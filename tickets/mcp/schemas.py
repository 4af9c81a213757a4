"""The pieces that tools' JSON Schemas (2020-12) are made of; unknown arguments are always refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tickets.types import LinkKind, Priority, TicketType
from tickets.validation import MAX_LABELS, MAX_PEOPLE, MAX_STEPS, MAX_TEXT, MAX_TITLE

Schema = dict[str, Any]

BIG = 2**53 - 1  # what every client's numbers can hold
MAX_NAME = 200


def text(description: str, *, longest: int = MAX_NAME, **more: Any) -> Schema:
    return {"type": "string", "maxLength": longest, "description": description, **more}


def needed_text(description: str, *, longest: int = MAX_NAME) -> Schema:
    return text(description, longest=longest, minLength=1)


def number(description: str, *, least: int = 0, most: int = BIG, **more: Any) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "description": description, **more}


def flag(description: str, **more: Any) -> Schema:
    return {"type": "boolean", "description": description, **more}


def word(description: str, choices: Iterable[str], **more: Any) -> Schema:
    return {"type": "string", "enum": list(choices), "description": description, **more}


def texts(description: str, *, most: int, longest: int = MAX_NAME) -> Schema:
    return {
        "type": "array",
        "items": {"type": "string", "maxLength": longest},
        "maxItems": most,
        "description": description,
    }


def closed(properties: dict[str, Schema], needs: Iterable[str] = ()) -> Schema:
    """An object with these members and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(needs),
        "additionalProperties": False,
    }


TICKET_ID = needed_text("The ticket's key, such as TICKET-001.")
TENANT = text("Slug of the tenant; only where a key is in several.")
TASK_ID = number("From the answer to claim_task.", least=1)
FENCE = number("The proof of the claim, from the answer to claim_task.")
WORKER_ID = needed_text("The worker's name.")
WORKER_TYPE = needed_text("The stages it works, such as architect.")
VERSION = number("The version that was read; refused with version_conflict if the ticket changed since.", least=1)
COMMENT = text("Markdown.", longest=MAX_TEXT)
CURSOR = number("`next_cursor` of the page before.", least=1)
LEASE = number("How long the task is held from now on; the project's setting if left out.", least=1)

PLAN: Schema = {
    "type": "array",
    "maxItems": MAX_STEPS,
    "description": 'Worker types in the order of their stages; {"stage": …, "gate": true} waits for a person instead.',
    "items": {
        "anyOf": [
            {"type": "string", "minLength": 1, "maxLength": 100},
            closed(
                {"stage": {"type": "string", "minLength": 1, "maxLength": 100}, "gate": {"type": "boolean"}}, ["stage"]
            ),
        ]
    },
}

# What a ticket says of itself, when it is opened and when it is changed.
TICKET_FIELDS: dict[str, Schema] = {
    "title": needed_text("What is to be done, in a line.", longest=MAX_TITLE),
    "description": text("What is to be done, in full; markdown.", longest=MAX_TEXT),
    "execution_plan": PLAN,
    "type": word("What kind of work it is.", TicketType.values),
    "priority": word("Urgent tasks are claimed first.", Priority.words()),
    "labels": texts("Words to find it by.", most=MAX_LABELS, longest=50),
    "assignees": texts("E-mail addresses of people of the tenant.", most=MAX_PEOPLE, longest=254),
    "due_date": text("A day such as 2030-12-24; empty for none.", longest=10, pattern=r"^(\d{4}-\d{2}-\d{2})?$"),
    "parent": text("Key of the ticket that this is a part of; empty for none."),
}
LINK_KINDS = list(LinkKind.values)


def page(most: int = 200, usual: int = 50) -> dict[str, Schema]:
    """Arguments of a list that comes in pages."""
    return {"limit": number("How many at most.", least=1, most=most, default=usual), "cursor": CURSOR}
