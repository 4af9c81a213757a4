"""Tickets as resources: ticket://TICKET-001, and its conversation at ticket://TICKET-001/comments."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

import mcp_types as protocol

from accounts.models import User
from core.errors import InvalidInput, NotFound
from tickets import selectors, wire
from tickets.models import Ticket
from tickets.selectors import TicketFilter

PAGE = 50
JSON = "application/json"
_CURSOR = re.compile(r"[1-9][0-9]{0,17}")
TEMPLATES = [
    protocol.ResourceTemplate(
        name="ticket", title="Ticket", uri_template="ticket://{ticket_id}{?tenant}", mime_type=JSON,
        description="One ticket with its plan, relations, links and open tasks.",
    ),
    protocol.ResourceTemplate(
        name="ticket_comments", title="Comments of a ticket", uri_template="ticket://{ticket_id}/comments{?tenant}",
        mime_type=JSON, description="What was said on a ticket, oldest first; the newest 200.",
    ),
]  # fmt: skip


def list_resources(user: User, cursor: str | None) -> protocol.ListResourcesResult:
    """The open tickets, newest first."""
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise InvalidInput({"cursor": ["Take the cursor from the page before; do not make one."]})
    tickets, following = selectors.page_tickets(
        user=user, narrowed=TicketFilter(status="open"), before=int(cursor) if cursor else None, limit=PAGE
    )
    return protocol.ListResourcesResult(
        resources=[
            protocol.Resource(
                name=ticket.key, title=ticket.title, uri=f"ticket://{ticket.key}?tenant={ticket.tenant.slug}",
                mime_type=JSON, description=f"{ticket.project.key}, {ticket.get_state_display()}",
            )
            for ticket in tickets
        ],
        next_cursor=str(following) if following else None,
    )  # fmt: skip


def find_resource(user: User, uri: str) -> Ticket:
    """The ticket that the address is about; NotFound for every other address."""
    try:
        parts = urlsplit(uri)
        tenant = parse_qs(parts.query).get("tenant", [""])[0]
    except ValueError as error:
        raise NotFound("There is nothing at this address that you may see.") from error
    if parts.scheme != "ticket" or parts.path not in {"", "/", "/comments"} or not parts.netloc:
        raise NotFound("There is nothing at this address that you may see.")
    key = unquote(parts.netloc, errors="replace")
    return selectors.find_ticket(user=user, key=key, tenant=tenant.replace("\x00", "\ufffd"))


def read_resource(user: User, uri: str) -> protocol.ReadResourceResult:
    """The document at the address; NotFound for every other one."""
    ticket = find_resource(user, uri)
    if urlsplit(uri).path == "/comments":
        newest = list(ticket.comments.select_related("author", "ticket").order_by("-pk")[:200])
        document: object = [wire.render_comment(comment) for comment in reversed(newest)]
    else:
        document = wire.render_ticket_in_full(ticket)
    text = json.dumps(document, ensure_ascii=False)
    return protocol.ReadResourceResult(contents=[protocol.TextResourceContents(uri=uri, mime_type=JSON, text=text)])
