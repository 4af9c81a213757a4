"""What our tickets, requests, people and chains are called in CDEvents: addresses, domainIds, URNs."""

from __future__ import annotations

import re
import uuid
from urllib.parse import quote

from django.conf import settings

from events.cdevents.domain_ids import DomainId
from events.models import DomainEvent

TOOL = "stagepass"
NAMESPACE = uuid.UUID("8e6e2b2c-5d0f-5e5b-9a55-6f4a1b1c9d10")
_OURS = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/[a-z]")


def source_of(fact: DomainEvent) -> str:
    """Where our events come from: this installation, and the tenant in it."""
    return f"{settings.SITE_URL}/{fact.tenant.slug}" if fact.tenant else settings.SITE_URL


def event_id(fact: DomainEvent, kind: str) -> str:
    """The same for the same fact and type, at every delivery; the fact's id in it lets us understand links to it."""
    return f"{fact.id}/{kind.removeprefix('dev.cdevents.').removeprefix('dev.cdeventsx.')}"


def fact_in(event: str) -> uuid.UUID | None:
    """The id of the fact that an event of ours told of; None for ids that are not ours."""
    match = _OURS.match(event)
    return uuid.UUID(match[1]) if match else None


def chain_of(fact: DomainEvent, tickets: tuple[str, ...] = ()) -> uuid.UUID:
    """The chain of the one ticket it is about, else of its own subject."""
    key = f"ticket:{tickets[0]}" if len(tickets) == 1 else f"{fact.subject_type}:{fact.subject_id}"
    return chain_named(fact.tenant_id, key)


def chain_named(tenant_id: int | None, key: str) -> uuid.UUID:
    """The chain of a thing, such as ticket:CORE-7."""
    return uuid.uuid5(NAMESPACE, f"chain:{tenant_id}:{key.upper()}")


def ticket_domain_id(fact: DomainEvent, key: str) -> DomainId:
    """What the ticket is called in links, whoever reads them."""
    tenant = fact.tenant.slug if fact.tenant else ""
    return DomainId("issue", key, provider=TOOL, namespace=tenant)


def ticket_address(fact: DomainEvent, key: str) -> str:
    tenant = f"in/{fact.tenant.slug}/" if fact.tenant else ""
    return f"{settings.SITE_URL}/tickets/{tenant}{quote(key, safe='')}/"


def request_address(number: str) -> str:
    return f"{settings.SITE_URL}/requests/{quote(number, safe='')}/"


def person_urn(label: str) -> str:
    """A person as a URI, which is what approvals ask for."""
    return f"urn:{TOOL}:user:{quote(label, safe='@')}"


def package(name: str, version: str) -> str:
    """A deployed thing as a package URL."""
    return f"pkg:generic/{quote(name, safe='')}@{quote(version, safe='')}"
