"""What the page of a ticket shows of its issues in a Jira."""

from __future__ import annotations

from accounts.models import User
from core.looks import Look
from tickets.models import Ticket, TicketIssue
from tickets.pages.dossier import Related


def issues_of(user: User, ticket: Ticket) -> list[Related]:
    """Each with its status as it was last heard or brought about."""
    issues = TicketIssue.objects.filter(ticket=ticket).select_related("connection").order_by("pk")
    return [
        Related(
            kind="Issue",
            label=issue.key,
            title=f"in {issue.connection}",
            address=issue.url,
            state=Look("deleted there", "red") if issue.deleted else Look(issue.status or "in Jira", "blue"),
            at=issue.created_at,
        )
        for issue in issues
    ]
