"""Tells Jira: a ticket's issue moves along by the status map, shows links to us, and hears what is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from events.connections.errors import Missing
from events.connections.jira import Jira
from events.connections.jira_moves import NoWay, move
from events.connections.milestones import Milestone, milestone_of, tickets_of
from events.connections.notifier import ConnectionNotifier
from events.models import Connection, ConnectionKind, Delivery, DomainEvent
from events.types import DeliveryRefused
from tickets.models import JiraProject, Ticket, TicketIssue
from tickets.notifiers.jira_fields import is_told, label_there, tell_edit
from tickets.notifiers.jira_ways import KnownWays
from tickets.types import ISSUE_LABEL, JIRA_SURFACE, origin_of


class JiraNotifier(ConnectionNotifier[Jira]):
    """What a Jira brought about is not told back to it."""

    kind = ConnectionKind.JIRA
    system = Jira

    def recipients(self, fact: DomainEvent) -> list[str]:
        """The Jiras of the tenant that have an issue of one of the tickets, or are to get one."""
        keys = tickets_of(fact)
        edited = fact.type == "ticket.edited"
        if fact.tenant_id is None or not keys or (edited and not is_told(fact)):
            return []
        issues = TicketIssue.objects.filter(
            ticket__tenant=fact.tenant_id, ticket__key__in=keys, connection__active=True, deleted=False
        )
        wanting = _wanting_an_issue(fact)
        if edited:
            issues, wanting = issues.filter(jira__edits=True), wanting.filter(edits=True)
        found = set(issues.values_list("connection", flat=True))
        if fact.type == "ticket.opened" or edited:  # its issue may be about to be made, with what it was like before
            found |= set(wanting.values_list("connection", flat=True))
        return [str(pk) for pk in sorted(found) if not _came_from(fact, pk)]

    def tell(self, delivery: Delivery, connection: Connection, reach: Callable[[], Jira]) -> dict[str, Any]:
        return _tell(reach(), delivery)


def _came_from(fact: DomainEvent, connection: int) -> bool:
    return fact.surface == JIRA_SURFACE and fact.request_id.startswith(origin_of(connection))


def _wanting_an_issue(fact: DomainEvent) -> Any:
    return JiraProject.objects.filter(
        connection__active=True, project__tenant=fact.tenant_id, project__key=fact.data.get("project"),
        opens_issues=True,
    ).select_related("connection")  # fmt: skip


def _tell(jira: Jira, delivery: Delivery) -> dict[str, Any]:
    """Every issue of the tickets; what is not there any more is passed over, what Jira refuses refuses the delivery."""
    jira.know_ourselves()
    milestone = milestone_of(delivery.fact)
    if milestone is None:
        return {"skipped": "nothing of it concerns an issue"}
    if delivery.fact.type == "ticket.opened":
        _make_issue(jira, delivery)
    receipt: dict[str, Any] = {}
    refusals: list[str] = []
    for issue in _issues(jira.connection, delivery.fact, milestone):
        try:
            receipt[issue.key] = _tell_issue(jira, issue, milestone, delivery)
        except Missing:
            TicketIssue.objects.filter(pk=issue.pk).update(deleted=True)
            receipt[issue.key] = "is not in Jira any more"
        except DeliveryRefused as error:
            if len(milestone.tickets) == 1:
                raise
            refusals.append(str(error))
    if refusals:
        raise DeliveryRefused(" ".join(refusals))
    return receipt or {"skipped": "the ticket has no issue there"}


def _issues(connection: Connection, fact: DomainEvent, milestone: Milestone) -> list[TicketIssue]:
    found = TicketIssue.objects.filter(
        connection=connection, deleted=False, ticket__tenant=fact.tenant_id, ticket__key__in=milestone.tickets
    )
    return list(found.select_related("ticket", "jira", "connection").order_by("pk"))


def _make_issue(jira: Jira, delivery: Delivery) -> None:
    """The issue of a ticket that was opened here, once."""
    fact = delivery.fact
    wanted = _wanting_an_issue(fact).filter(connection=jira.connection).first()
    ticket = Ticket.objects.filter(tenant=fact.tenant_id, key=fact.subject_id).first()
    if wanted is None or ticket is None or ticket.issues.filter(connection=jira.connection).exists():
        return
    labels = [f"{ISSUE_LABEL}{ticket.key.lower()}", *(label_there(label) for label in ticket.labels)]
    made = jira.open(
        wanted.key, wanted.issue_type, ticket.title, ticket.description or ticket.title, labels,
        again=delivery.attempts > 1,
    )  # fmt: skip
    try:
        with transaction.atomic():
            TicketIssue.objects.create(
                ticket=ticket, jira=wanted, connection=jira.connection, issue_id=made["id"], key=made["key"]
            )
    except IntegrityError:  # its webhook was faster
        return


def _tell_issue(jira: Jira, issue: TicketIssue, milestone: Milestone, delivery: Delivery) -> dict[str, Any]:
    key, receipt = issue.key, {}  # type: str, dict[str, Any]
    if not issue.linked:
        url = f"{settings.SITE_URL}/tickets/{issue.ticket.key}/"
        jira.link(key, issue.ticket.key, url, f"{issue.ticket.key} in Stagepass", issue.ticket.title)
        TicketIssue.objects.filter(pk=issue.pk).update(linked=True)
    if milestone.preview:
        jira.link(key, f"{issue.ticket.key}:{milestone.label}", milestone.preview, milestone.standing)
    if milestone.said and issue.jira.comments:
        links = ((f"Preview of {issue.ticket.key}", milestone.preview),) if milestone.preview else ()
        receipt["comment"] = jira.comment(
            key, milestone.said, str(delivery.fact.id), links=links, again=delivery.attempts > 1
        )
    if delivery.fact.type == "ticket.edited" and issue.jira.edits:
        receipt |= tell_edit(jira, issue, delivery.fact)
    if wanted := issue.jira.status_for(milestone.word) if milestone.word else "":
        receipt |= _move(jira, issue, wanted)
    return receipt


def _move(jira: Jira, issue: TicketIssue, wanted: str) -> dict[str, Any]:
    """To the status, and what is known of it here afterwards, also when the issue got stuck."""
    known = TicketIssue.objects.filter(pk=issue.pk)
    try:
        moved = move(jira, issue.key, wanted, KnownWays(issue.jira))
    except NoWay as error:
        known.update(status=error.status)
        raise
    known.update(status=moved["status"])
    return moved
