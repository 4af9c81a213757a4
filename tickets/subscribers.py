"""What tickets do when facts are delivered: a deployed promotion request resolves the tickets it names."""

from __future__ import annotations

from typing import Any

from events.models import Delivery, DomainEvent
from tickets.models import Ticket
from tickets.services import resolve_deployed_ticket, take_back_deployed_ticket


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


def _named(fact: DomainEvent, keys: list[str]) -> list[Ticket]:
    found = [
        Ticket.objects.select_related("project", "tenant").filter(tenant=fact.tenant, key__iexact=key).first()
        for key in dict.fromkeys(keys)
    ]
    return [ticket for ticket in found if ticket is not None and ticket.project.setting("resolve_on_deploy")]
