"""The messages of the three packages, and how events, locks and entries look in them."""

from __future__ import annotations

from functools import cache
from typing import Any

from events.models import CatalogEntry, Event, EventChange, Lock
from events.tracker.changes import first_change
from events.tracker.pb.tracker.catalog.v1alpha1 import catalog_pb2
from events.tracker.pb.tracker.event.v1alpha1 import event_pb2
from events.tracker.pb.tracker.lock.v1alpha1 import lock_pb2
from events.tracker.rights import tenant_numbered
from events.tracker.vocabulary import MAX_IMPACT, ChangeType
from events.tracker.wire import codec, scalars
from events.tracker.wire.codec import MessageCodec, Plain, codec_of

FILES = {"event": event_pb2.DESCRIPTOR, "lock": lock_pb2.DESCRIPTOR, "catalog": catalog_pb2.DESCRIPTOR}
STATUS = "tracker.event.v1alpha1.Status"


@cache
def message(package: str, name: str) -> MessageCodec:
    """The codec of a message, such as ("event", "CreateEventRequest")."""
    return codec_of(FILES[package].message_types_by_name[name])


def _parse_impact(value: Any, path: str) -> bool | int:
    """A switch as on the wire, or a level 0 to 3 as in the guide."""
    if isinstance(value, str) and value in {"0", "1", "2", "3"}:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value <= MAX_IMPACT:
            return value
        raise scalars.refuse(path, f"invalid value for field {path}: {value}; true, false or 0 to {MAX_IMPACT}")
    return scalars.parse_bool(value, path)


codec.read_wider("tracker.event.v1alpha1.EventAttributes.impact", _parse_impact)
codec.read_wider("tracker.event.v1alpha1.SearchEventsRequest.impact", _parse_impact)

# Events

_ATTRIBUTES = {
    "message": "message",
    "source": "source",
    "type": "type",
    "priority": "priority",
    "related_id": "related_id",
    "service": "service",
    "status": "status",
    "environment": "environment",
    "impact": "impact",
    "start_date": "started_at",
    "end_date": "ended_at",
    "owner": "owner",
    "stake_holders": "stakeholders",
    "notification": "notification",
    "notifications": "notifications",
}
_LINKS = {"pull_request_link": "pull_request_link", "ticket": "ticket"}


def content_of(plain: Plain) -> dict[str, Any]:
    """The columns that a create or update request speaks of."""
    attributes, links = plain.get("attributes") or {}, plain.get("links") or {}
    content = {column: attributes[name] for name, column in _ATTRIBUTES.items() if name in attributes}
    content |= {column: links[name] for name, column in _LINKS.items() if name in links}
    if attributes.get("impact_level"):
        content["impact"] = attributes["impact_level"]
    if "title" in plain:
        content["title"] = plain["title"]
    if plain.get("slack_id"):
        content["slack_id"] = plain["slack_id"]
    return content


def event_plain(event: Event) -> Plain:
    """An event in the wire's fields; its changes should be read already."""
    return {
        "title": event.title,
        "attributes": {
            "message": event.message,
            "source": event.source,
            "type": event.type,
            "priority": event.priority,
            "related_id": str(event.related_id) if event.related_id else "",
            "service": event.service,
            "status": event.status,
            "environment": event.environment,
            "impact": event.impact > 0,
            "start_date": event.started_at,
            "end_date": event.ended_at,
            "owner": event.owner,
            "stake_holders": event.stakeholders,
            "notification": event.notification,
            "notifications": event.notifications,
            "impact_level": event.impact,
        },
        "links": {"pull_request_link": event.pull_request_link, "ticket": event.ticket},
        "metadata": {
            "created_at": event.created_at,
            "duration": event.duration,
            "id": str(event.pk),
            "slack_id": event.slack_id,
            "tenant": tenant_numbered(event.tenant_id).slug,
            "updated_at": event.updated_at,
        },
        "changelog": [_created_plain(event), *(change_plain(change) for change in event.changes.all())],
    }


def _created_plain(event: Event) -> Plain:
    """The line that is not kept, as `first_change` has it."""
    return {
        "timestamp": event.created_at,
        "user": event.created_by,
        "change_type": ChangeType.created.value,
        "comment": "Event created",
    }


def changelog_of(event: Event) -> list[EventChange]:
    """All lines, the oldest first: how it was created, then what is kept."""
    return [first_change(event), *event.changes.all()]


def change_plain(change: EventChange) -> Plain:
    return {
        "timestamp": change.at,
        "user": change.user,
        "change_type": change.type,
        "field": change.field,
        "old_value": change.old_value,
        "new_value": change.new_value,
        "comment": change.comment,
    }


# Locks


def lock_plain(lock: Lock) -> Plain:
    return {
        "id": str(lock.pk),
        "service": lock.service,
        "who": lock.who,
        "created_at": lock.created_at,
        "environment": lock.environment,
        "resource": lock.resource,
        "event_id": str(lock.event_id) if lock.event_id else "",
        "expires_at": lock.expires_at,
        "tenant": tenant_numbered(lock.tenant_id).slug,
    }


# The catalogue

_SAME = (
    "name", "type", "languages", "owner", "version", "link", "description", "repository", "created_at", "updated_at",
    "dependencies_in", "dependencies_out", "platform", "available_versions", "latest_version", "reference_version",
)  # fmt: skip
DOCUMENTS = {
    "sla": "SLA",
    "used_deliverables": "UsedDeliverable",
    "communication_channels": "CommunicationChannel",
    "dashboard_links": "DashboardLink",
    "vulnerability_summary": "VulnerabilitySummary",
    "infrastructure_resources": "InfrastructureResource",
}


def catalog_content(plain: Plain) -> dict[str, Any]:
    """The columns that a request speaks of; nested messages become the JSON they are kept as."""
    content = {name: value for name, value in plain.items() if name not in {"created_at", "updated_at", "tenant"}}
    for name, type_name in DOCUMENTS.items():
        if content.get(name):
            inner = message("catalog", type_name)
            value = content[name]
            content[name] = [inner.render(v) for v in value] if isinstance(value, list) else inner.render(value)
    return content


def catalog_plain(entry: CatalogEntry) -> Plain:
    plain: Plain = {name: getattr(entry, name) for name in _SAME}
    for name, type_name in DOCUMENTS.items():
        inner = message("catalog", type_name)
        value = getattr(entry, name)
        plain[name] = [inner.parse(v) for v in value] if isinstance(value, list) else value and inner.parse(value)
    plain["tenant"] = tenant_numbered(entry.tenant_id).slug
    return plain
