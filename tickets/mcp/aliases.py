"""Names that the original design published later, for clients written against them."""

from __future__ import annotations

from collections.abc import Callable

from tickets.mcp import schemas
from tickets.mcp.registry import TOOLS, Form, alias
from tickets.mcp.ticket_tools import ONE


def _of_queue(form: Form) -> Form:
    """A queue is named after its worker type."""
    name = form.pop("queue_name")
    return {**form, "worker_type": name.removesuffix("-queue")}


def _renamed(**names: str) -> Callable[[Form], Form]:
    return lambda form: {names.get(name, name): value for name, value in form.items()}


def publish_aliases() -> None:
    """Add them; the tools themselves are there already."""
    alias(
        "complete_ticket_stage",
        "update_ticket_stage",
        takes={**ONE, "stage": schemas.needed_text("The stage that is completed.")},
        needs=["ticket_id", "stage"],
        translate=_renamed(stage="new_stage"),
    )
    alias(
        "assign_task",
        "queue_task",
        takes={**ONE, "queue_name": schemas.needed_text("The worker type, with or without -queue.")},
        needs=["ticket_id", "queue_name"],
        translate=_of_queue,
    )
    alias(
        "list_events",
        "get_events",
        takes={
            "event_type": schemas.text("Only of this type."),
            "limit": schemas.number("How many at most.", least=1, most=500, default=50),
        },
        translate=lambda form: {**form, **({"event_type": [form["event_type"]]} if "event_type" in form else {})},
    )
    alias(
        "resolve_event",
        "mark_events_processed",
        takes={
            "event_id": schemas.number("The event.", least=1),
            "resolution_summary": schemas.text("How it was dealt with.", longest=5000),
        },
        needs=["event_id"],
        translate=lambda form: {
            "event_ids": [form["event_id"]],
            "resolution": form.get("resolution_summary", ""),
        },
    )
    worker = TOOLS["register_worker"].takes["properties"]
    alias(
        "spawn_worker",
        "register_worker",
        takes={name: worker[name] for name in ("worker_id", "worker_type", "project_id")},
        needs=["worker_id", "worker_type"],
    )
    alias("get_worker_status", "get_worker", takes={"worker_id": schemas.WORKER_ID}, needs=["worker_id"])
    alias(
        "add_ticket_dependency",
        "add_dependency",
        takes={"parent_ticket_id": schemas.TICKET_ID, "child_ticket_id": schemas.TICKET_ID},
        needs=["parent_ticket_id", "child_ticket_id"],
        translate=_renamed(parent_ticket_id="blocker", child_ticket_id="ticket_id"),
    )
    alias(
        "remove_ticket_dependency", "remove_dependency",
        takes={"parent_ticket_id": schemas.TICKET_ID, "child_ticket_id": schemas.TICKET_ID},
        needs=["parent_ticket_id", "child_ticket_id"],
        translate=_renamed(parent_ticket_id="blocker", child_ticket_id="ticket_id"),
    )  # fmt: skip
