"""Jira's webhooks as CDEvents: what happens to an issue there."""

from __future__ import annotations

from collections.abc import Iterable

from events.cdevents.webhooks.mapping import Delivery, Maker, Mapped, Payload, address, without_blanks

_KINDS = {"jira:issue_created": "created", "jira:issue_updated": "updated", "jira:issue_deleted": "closed"}


def map_jira(delivery: Delivery) -> Iterable[Mapped]:
    """The event of a delivery; none for what is about no issue. Unmappable for a broken payload."""
    payload = delivery.payload
    event = payload.text("webhookEvent") or delivery.event
    kind = _KINDS.get(event)
    if kind is None:
        return
    issue = payload.at("issue")
    key = issue.must("key")
    site = "/".join(address(issue.must("self")).split("/")[:3])
    state = _state_change(payload)
    if kind == "updated" and state and issue.text("fields", "status", "statusCategory", "key") == "done":
        kind = "closed"
    yield Maker(delivery, site).event(
        f"dev.cdevents.ticket.{kind}.0.2.0",
        key,
        _content(payload, kind, address(f"{site}/browse/{key}"), event),
        at=payload.at("timestamp").value,
        custom={"state": state, "action": event},
        texts=(key,),
    )


def _content(payload: Payload, kind: str, uri: str, event: str) -> dict[str, object]:
    fields = payload.at("issue", "fields")
    content: dict[str, object] = {
        "summary": fields.must("summary"),
        "ticketType": fields.text("issuetype", "name").lower(),
        "group": fields.text("project", "key"),
        "assignees": [name] if (name := _person(fields.at("assignee"))) else [],
        "priority": fields.text("priority", "name").lower(),
        "labels": [label.text() for label in fields.list("labels") if label.text()],
        "uri": uri,
    }
    if kind == "created":
        return content | {"creator": _person(fields.at("creator")) or _person(payload.at("user")) or "unknown"}
    content["updatedBy"] = _person(payload.at("user"))
    if kind == "closed":
        deleted = event == "jira:issue_deleted"
        content["resolution"] = "withdrawn" if deleted else _resolution(fields.text("resolution", "name"))
    return content


def _resolution(name: str) -> str:
    words = {"": "completed", "done": "completed", "fixed": "completed", "duplicate": "duplicate"}
    return words.get(name.lower(), "withdrawn" if "won't" in name.lower() else name.lower())


def _state_change(payload: Payload) -> dict[str, object]:
    for item in payload.list("changelog", "items"):
        if item.text("field") == "status":
            return without_blanks({"from": item.text("fromString"), "to": item.text("toString")})
    return {}


def _person(person: Payload) -> str:
    return person.text("emailAddress") or person.text("displayName") or person.text("name")
