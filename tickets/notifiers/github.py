"""Tells GitHub: one comment on each pull request of a ticket, kept up to date, a status on its commits, and deployments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction

from core.clock import now
from events.chain.keys import ticket_key
from events.chain.kinds import EdgeKind, NodeKind
from events.connections.errors import Missing
from events.connections.github import Change, GitHub, change_at
from events.connections.marks import PULL_COMMENT
from events.connections.milestones import Milestone, milestone_of, tickets_of
from events.connections.notifier import ConnectionNotifier
from events.models import ChainEdge, Connection, ConnectionKind, Delivery, DomainEvent, OutsideMark
from events.types import DeliveryRefused
from tickets.models import TicketLink
from tickets.notifiers.github_deployments import tell_rollout

MOST_CHANGES = 20


class GitHubNotifier(ConnectionNotifier[GitHub]):
    """Only commits and pull requests that a ticket is linked to are touched."""

    kind = ConnectionKind.GITHUB
    system = GitHub

    def recipients(self, fact: DomainEvent) -> list[str]:
        if fact.tenant_id is None or not tickets_of(fact):
            return []
        found = Connection.objects.filter(tenant=fact.tenant_id, kind=ConnectionKind.GITHUB, active=True)
        return [str(pk) for pk in found.order_by("pk").values_list("pk", flat=True)]

    def tell(self, delivery: Delivery, connection: Connection, reach: Callable[[], GitHub]) -> dict[str, Any]:
        milestone = milestone_of(delivery.fact)
        changes = _changes(connection, delivery.fact.tenant_id or 0, milestone.tickets) if milestone else {}
        if milestone is None or not milestone.standing or not changes:
            return {"skipped": "no commit or pull request is linked"}
        return _tell(reach(), delivery.fact, milestone, changes)


def _changes(connection: Connection, tenant: int, tickets: tuple[str, ...]) -> dict[Change, str]:
    """What the tickets are linked to by people or by the chain, as far as it is this connection's; each with its ticket."""
    links = TicketLink.objects.filter(ticket__tenant=tenant, ticket__key__in=tickets)
    named = ChainEdge.objects.filter(
        kind=EdgeKind.NAMES, from_node__tenant=tenant, from_node__kind=NodeKind.TICKET,
        from_node__key__in=[ticket_key(key) for key in tickets], to_node__gone=False,
        to_node__kind__in=[NodeKind.CHANGE, NodeKind.COMMIT],
    ).exclude(to_node__url="")  # fmt: skip
    addresses = [
        *links.order_by("pk").values_list("url", "ticket__key"),
        *named.order_by("pk").values_list("to_node__url", "from_node__key")[: MOST_CHANGES * 5],
    ]
    found: dict[Change, str] = {}
    for url, key in addresses:
        change = change_at(connection, url)
        if change is not None and len(found) < MOST_CHANGES:
            found.setdefault(change, key)
    return found


def _tell(github: GitHub, fact: DomainEvent, milestone: Milestone, changes: dict[Change, str]) -> dict[str, Any]:
    """A status on each head, a comment on each pull request, deployments where they are on; what is gone is passed over."""
    receipt: dict[str, Any] = {}
    refusals: list[str] = []
    for change, ticket in changes.items():
        try:
            if milestone.outcome:
                github.mark(
                    change, github.head_of(change), context=f"stagepass/{milestone.label}", state=milestone.outcome,
                    text=milestone.standing, url=milestone.preview or milestone.url,
                )  # fmt: skip
                receipt[str(change)] = milestone.outcome
            if change.pull:
                receipt[str(change)] = _comment(github, fact, milestone, change, ticket)
        except Missing as error:
            receipt[str(change)] = str(error)
            continue
        if milestone.rollout and github.connection.deployments:
            try:
                receipt[f"{change} deployed"] = tell_rollout(github, fact, milestone, change)
            except DeliveryRefused as error:
                refusals.append(str(error))
    if refusals:
        raise DeliveryRefused(" ".join(refusals))
    return receipt


def _comment(github: GitHub, fact: DomainEvent, milestone: Milestone, change: Change, ticket: str) -> str:
    """The comment of this ticket on the pull request, with the line of this thing brought up to date."""
    key = f"{change}:{ticket}"
    with transaction.atomic():  # a place to keep it, before anything is called
        mark, _ = OutsideMark.objects.get_or_create(connection=github.connection, kind=PULL_COMMENT, key=key[:300])
    lines: dict[str, list[Any]] = dict(mark.value.get("lines", {}))
    subject = f"{fact.subject_type}:{fact.subject_id}"
    if lines.get(subject, [0])[0] >= fact.sequence:
        return "shows it already"
    lines[subject] = [fact.sequence, _line(milestone)]
    marker = f"<!-- stagepass:{ticket} -->"
    text = "\n".join([
        marker, f"**[{ticket}]({settings.SITE_URL}/tickets/{ticket}/)** in Stagepass", "",
        *(f"- {line}" for _, line in lines.values()),
    ])  # fmt: skip
    number = github.comment(change, text, marker, int(mark.value.get("id", 0)))
    OutsideMark.objects.filter(pk=mark.pk).update(value={"id": number, "lines": lines}, made_at=now())
    return f"comment {number}"


def _line(milestone: Milestone) -> str:
    preview = f" · [preview]({milestone.preview})" if milestone.preview else ""
    return f"[{milestone.label}]({milestone.url}): {milestone.standing}{preview}"
