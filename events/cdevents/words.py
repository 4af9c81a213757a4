"""What each fact of tickets, requests and deployments says in the words of CDEvents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from events.cdevents.domain_ids import domain_id_of
from events.cdevents.names import chain_of, package, person_urn, request_address, ticket_address
from events.models import DomainEvent


class Kind(Enum):
    """Which profiles have it: all; those with approval events; those without or with our own types; those with these."""

    STANDARD = "standard"
    APPROVAL = "approval"
    CUSTOM_APPROVAL = "custom approval"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Said:
    """One event to be: its type (of a custom one: subject and predicate), its subject and what it says."""

    kind: Kind
    type: str
    subject: str
    content: dict[str, Any]
    tickets: tuple[str, ...] = ()
    link_kind: str = "ticket"
    custom_data: dict[str, Any] = field(default_factory=dict)


Saying = Callable[[DomainEvent], list[Said]]

# Words of a ticket's life that the standard has no event for.
_STATES = {
    "ticket.opened": "opened",
    "ticket.started": "inprogress",
    "ticket.review_requested": "inreview",
    "ticket.reviewed": "reviewed",
    "ticket.testing_started": "testing",
    "ticket.resolved": "resolved",
    "ticket.closed": "closed",
    "ticket.reopened": "reopened",
    "ticket.linked": "linked",
    "ticket.unlinked": "unlinked",
    "ticket.approved": "approved",
    "ticket.declined": "declined",
}
_RESOLUTIONS = {"completed": "completed", "stopped": "withdrawn"}
# What the facts of an approval become: (decision, status of the end, custom predicate); no decision: it begins.
_APPROVALS = {
    "approval_requested": (None, None, "inprogress"),
    "gate_reached": (None, None, "inprogress"),
    "created": (None, None, "inprogress"),
    "approved": ("approved", "approved", "approved"),
    "declined": ("rejected", "rejected", "declined"),
    "rejected": ("rejected", "rejected", "declined"),
    "withdrawn": ("deferred", "cancelled", "withdrawn"),
    "expired": ("deferred", "expired", "expired"),
    "escalated": ("escalated", None, "escalated"),
}


def saying_of(fact: DomainEvent) -> list[Said]:
    """What the fact says; nothing for what concerns only the inside."""
    saying = SAYINGS.get(fact.type)
    return saying(fact) if saying else []


# Tickets


def _about_ticket(fact: DomainEvent) -> list[Said]:
    key, data = fact.subject_id, fact.data
    told: dict[str, Any] = {"key": key, "version": data.get("version")}
    if data.get("prev_state"):
        told["state"] = {"from": data["prev_state"], "to": data.get("state")}
    for name in ("changed", "comment", "stage", "deployed_by", "rolled_back_by", "url"):
        if data.get(name):
            told[name] = data[name]
    said = [Said(Kind.STANDARD, *_standard(fact), tickets=(key,), custom_data=told)]
    if word := _STATES.get(fact.type):
        said.append(Said(Kind.STATE, f"ticket.{word}", key, _state_content(fact), (key,), custom_data=told))
    return said + _approval_of_ticket(fact)


def _standard(fact: DomainEvent) -> tuple[str, str, dict[str, Any]]:
    """The standard event of a ticket: its type, subject and content."""
    content = _common(fact)
    if fact.type == "ticket.opened":
        return "dev.cdevents.ticket.created.0.2.0", fact.subject_id, content | {"creator": fact.actor_label}
    content["updatedBy"] = fact.actor_label
    if fact.type == "ticket.closed":
        resolution = str(fact.data.get("resolution", "completed"))
        content["resolution"] = _RESOLUTIONS.get(resolution, resolution)
        return "dev.cdevents.ticket.closed.0.2.0", fact.subject_id, content
    return "dev.cdevents.ticket.updated.0.2.0", fact.subject_id, content


def _common(fact: DomainEvent) -> dict[str, Any]:
    data = fact.data
    content = {
        "summary": data.get("title") or fact.subject_label,
        "ticketType": data.get("ticket_type"),
        "group": data.get("project"),
        "priority": data.get("priority"),
        "labels": data.get("labels"),
        "uri": ticket_address(fact, fact.subject_id),
    }
    return {name: value for name, value in content.items() if value}


def _state_content(fact: DomainEvent) -> dict[str, Any]:
    """The content of our own types: the seed's fields, spelled as the standard spells its own."""
    data = fact.data
    who = "author" if fact.type == "ticket.opened" else "committer"
    content = {
        "uri": ticket_address(fact, fact.subject_id),
        "ticketType": data.get("ticket_type"),
        who: fact.actor_label,
        "prevState": data.get("prev_state"),
        "state": data.get("state"),
    }
    if url := data.get("url"):
        linked = domain_id_of(str(url))
        content |= {
            "target": url,
            "linkKind": data.get("kind"),
            "chainId": str(chain_of(fact, (fact.subject_id,))),
            "domainId": str(linked) if linked else None,
        }
    return {name: value for name, value in content.items() if value}


def _approval_of_ticket(fact: DomainEvent) -> list[Said]:
    key = fact.subject_id
    return _approval(
        fact,
        f"{key}/approval",
        details=ticket_address(fact, key),
        resource=ticket_address(fact, key),
        tickets=(key,),
        asked_by=fact.actor_label,
    )


# Promotion requests and deployments


def _about_request(fact: DomainEvent) -> list[Said]:
    document = fact.data.get("document", {})
    address = request_address(fact.subject_id)
    return _approval(
        fact,
        fact.subject_id,
        details=address,
        resource=_artifact(document) or address,
        tickets=_tickets(document),
        asked_by=document.get("metadata", {}).get("createdBy") or fact.actor_label,
    )


def _about_deployment(fact: DomainEvent) -> list[Said]:
    document = fact.data.get("document", {})
    spec = document.get("spec", {})
    target, request = spec.get("target", {}), spec.get("request", {})
    verb = "deployed"
    if fact.data.get("replaced_version"):
        verb = "upgraded"
    if request.get("rollbackOf"):
        verb = "rolledback"
    content = {"environment": {"id": target.get("targetEnvironment") or "prod"}, "artifactId": _artifact(document)}
    if not content["artifactId"]:
        return []
    told = {
        "request": fact.subject_id,
        "uri": request_address(fact.subject_id),
        "replacedVersion": fact.data.get("replaced_version") or None,
    }
    return [
        Said(
            Kind.STANDARD,
            f"dev.cdevents.service.{verb}.0.3.0",
            str(target.get("name")),
            content,
            _tickets(document),
            "implements",
            {name: value for name, value in told.items() if value},
        )
    ]


def _artifact(document: dict[str, Any]) -> str:
    target = document.get("spec", {}).get("target", {})
    return package(target["name"], target["version"]) if target.get("name") and target.get("version") else ""


def _tickets(document: dict[str, Any]) -> tuple[str, ...]:
    return tuple(document.get("spec", {}).get("request", {}).get("tickets", ()))


# Approvals


def _approval(
    fact: DomainEvent, subject: str, *, details: str, resource: str, tickets: tuple[str, ...], asked_by: str
) -> list[Said]:
    step = _APPROVALS.get(fact.type.partition(".")[2])
    if step is None:
        return []
    decision, status, word = step
    content: dict[str, Any] = {"approvalDetailsUrl": details, "resourceTargetUrl": resource}
    told = {"comment": fact.data.get("comment") or fact.data.get("entry", {}).get("comment")}
    told = {name: value for name, value in told.items() if value}

    def said(kind: Kind, type: str, **more: Any) -> Said:
        return Said(kind, type, subject, content | more, tickets, "ticket", told)

    if decision is None:
        who = {"requestor": person_urn(asked_by)}
        standard = [said(Kind.APPROVAL, "dev.cdevents.approval.created.0.1.0", **who)]
    else:
        who = {"responder": person_urn(fact.actor_label), "decision": decision}
        standard = [said(Kind.APPROVAL, "dev.cdevents.approval.updated.0.1.0", **who)]
        if status is not None:
            who |= {"status": status}
            standard.append(said(Kind.APPROVAL, "dev.cdevents.approval.closed.0.1.0", **who))
    return [*standard, said(Kind.CUSTOM_APPROVAL, f"approval.{word}", **who)]


_TICKET_FACTS = (
    *_STATES, "ticket.edited", "ticket.approval_requested", "ticket.gate_reached", "ticket.stage_completed",
    "ticket.stage_returned", "ticket.dependency_added", "ticket.dependency_removed",
)  # fmt: skip
_REQUEST_FACTS = (
    "promotion.created", "promotion.approved", "promotion.rejected", "promotion.withdrawn", "promotion.expired",
    "promotion.escalated",
)  # fmt: skip

SAYINGS: dict[str, Saying] = {
    **dict.fromkeys(_TICKET_FACTS, _about_ticket),
    **dict.fromkeys(_REQUEST_FACTS, _about_request),
    "deployment.succeeded": _about_deployment,
}
