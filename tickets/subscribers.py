"""What tickets do when facts are delivered: deployments resolve the tickets they name, events from outside move theirs."""

from __future__ import annotations

from typing import Any

from accounts.roles import Capability
from accounts.selectors import holders_of
from core.context import acting_through
from core.errors import DomainError
from events.chain.following import follow_log
from events.chain.keys import scoped
from events.chain.queries import tickets_carried
from events.models import Connection, ConnectionKind, Delivery, DomainEvent, ReceivedEvent
from tickets.models import Comment, Ticket
from tickets.selectors import find_mentions
from tickets.services import (
    follow_event,
    follow_issue,
    obey_command,
    resolve_deployed_ticket,
    take_back_deployed_ticket,
)
from tickets.services.issues import Heard
from tickets.types import JIRA_SURFACE, origin_of


def follow_deployment(delivery: Delivery) -> dict[str, Any]:
    """Resolve the tickets of a deployed request, reopen those of one that was rolled back; twice changes nothing.

    Only tickets of the request's tenant, and of projects that have `resolve_on_deploy`; keys without a ticket here
    (of an outside tracker) are passed over. The receipt names the tickets that changed.
    """
    fact = delivery.fact
    request = fact.data.get("document", {}).get("spec", {}).get("request", {})
    verb = take_back_deployed_ticket if request.get("rollbackOf") else resolve_deployed_ticket
    changed = [ticket.key for ticket in _named(fact, request.get("tickets", [])) if verb(ticket=ticket, fact=fact)]
    return {"tickets": changed}


def follow_received_event(delivery: Delivery) -> dict[str, Any]:
    """Move the tickets that a received event names, and obey the commands of its commits; twice changes nothing.

    A deployment moves the tickets that the chain knows to have come with it. Each only where the ticket's project says so.
    The receipt names what was done and what was refused.
    """
    fact = delivery.fact
    if fact.data.get("issue"):
        return {"issue": _follow_issue(fact)}
    moved = {ticket.key: verb for ticket in _keyed(fact, [*fact.data["tickets"], *_carried(fact)], "follow_events")
             if (verb := follow_event(ticket=ticket, fact=fact))}  # fmt: skip
    commands = [_obey(fact, number, command) for number, command in enumerate(fact.data.get("commands", []))]
    return {"moved": moved, "commands": [said for said in commands if said]}


def _carried(fact: DomainEvent) -> list[str]:
    """The tickets of a deployment's commits since the last one, as far as the chain knows of them by now."""
    event = fact.data["event"]
    if event["subject"] != "service" or event["predicate"] not in {"deployed", "upgraded"}:
        return []
    follow_log()
    return tickets_carried(fact.tenant_id or 0, scoped(event["source"], event["id"]))


_HAPPENED = {"jira:issue_created": "created", "jira:issue_deleted": "deleted", "comment_created": "commented"}


def _follow_issue(fact: DomainEvent) -> list[str]:
    """What an issue's ticket did; nothing unless a connection listens to the webhook that told of it."""
    event = ReceivedEvent.objects.get(pk=fact.data["received"])
    connection = Connection.objects.filter(
        source=event.webhook_id or 0, kind=ConnectionKind.JIRA, active=True
    ).first()  # fmt: skip
    if connection is None:
        return []
    content, told = event.body["subject"]["content"], event.body["customData"]["stagepass"]
    heard = Heard(
        id=fact.data["issue"],
        what=_HAPPENED.get(told["action"], "updated"),
        at=event.happened_at,
        url=content["uri"],
        title=content.get("summary", ""),
        told=told["issue"],
    )
    with acting_through(JIRA_SURFACE, origin_of(connection.pk, event.pk)):
        return follow_issue(connection=connection, heard=heard)


def _obey(fact: DomainEvent, number: int, command: dict[str, str]) -> str:
    """One command; what came of it."""
    keys = find_mentions(fact.tenant_id or 0, [command["ticket"]])[0].tickets
    ticket = next(iter(_keyed(fact, list(keys), "smart_commits")), None)
    if ticket is None or fact.tenant is None:
        return ""
    mark = f"commit:{fact.data['received']}:{number}"
    if Comment.objects.filter(ticket=ticket, worker_id=mark).exists():
        return f"{ticket.key}: done before"
    author = holders_of(Capability.EDIT_TICKETS, fact.tenant).filter(email__iexact=command["email"]).first()
    if author is None:
        return f"{ticket.key}: nobody here who may has the e-mail {command['email'][:100]}"
    try:
        done = obey_command(ticket=ticket, command=command["command"], text=command["text"], by=author, mark=mark)
    except DomainError as refusal:
        return f"{ticket.key}: {refusal.message}"
    return f"{ticket.key}: {done}"


def _keyed(fact: DomainEvent, keys: list[str], setting: str) -> list[Ticket]:
    """The tickets of the fact's tenant with these keys, of projects that have the setting."""
    tickets = Ticket.objects.select_related("project", "tenant").filter(tenant=fact.tenant, key__in=keys)
    return [ticket for ticket in tickets.order_by("id") if ticket.project.setting(setting)]


def _named(fact: DomainEvent, keys: list[str]) -> list[Ticket]:
    found = [
        Ticket.objects.select_related("project", "tenant").filter(tenant=fact.tenant, key__iexact=key).first()
        for key in dict.fromkeys(keys)
    ]
    return [ticket for ticket in found if ticket is not None and ticket.project.setting("resolve_on_deploy")]
