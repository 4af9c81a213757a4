"""Jira's webhooks as CDEvents: what happens to an issue there."""

from __future__ import annotations

from collections.abc import Iterable

from events.cdevents.webhooks.mapping import Delivery, Maker, Mapped, Payload, address, without_blanks

_KINDS = {
    "jira:issue_created": "created", "jira:issue_updated": "updated", "jira:issue_deleted": "closed",
    "comment_created": "updated",
}  # fmt: skip
LONGEST = 10_000


def map_jira(delivery: Delivery) -> Iterable[Mapped]:
    """The event of a delivery; none for what is about no issue. Unmappable for a broken payload."""
    payload = delivery.payload
    event = payload.text("webhookEvent") or delivery.event
    kind = _KINDS.get(event)
    if kind is None:
        return
    issue = payload.at("issue")
    if event == "comment_created" and not issue.text("key"):  # as servers send it: the update tells the same
        return
    key = issue.must("key")
    site = "/".join(address(issue.must("self")).split("/")[:3])
    state = _state_change(payload)
    if event == "jira:issue_updated" and state and issue.text("fields", "status", "statusCategory", "key") == "done":
        kind = "closed"
    made = Maker(delivery, site).event(
        f"dev.cdevents.ticket.{kind}.0.2.0",
        key,
        _content(payload, kind, address(f"{site}/browse/{key}"), event),
        at=payload.at("timestamp").value,
        custom={"state": state, "action": event, "issue": _issue(payload)},
        texts=(key,),
    )
    made.heard.extras["issue"] = issue.text("id") or issue.text("self").rpartition("/")[2]
    yield made


def _issue(payload: Payload) -> dict[str, object]:
    """What those need who take a ticket along with it (tickets/services/issues.py)."""
    issue, fields, comment = payload.at("issue"), payload.at("issue", "fields"), payload.at("comment")
    told = {
        "key": issue.text("key"),
        "project": fields.text("project", "key") or issue.text("key").rpartition("-")[0],
        "description": text_of(fields.at("description").value)[:LONGEST],
        "type": fields.text("issuetype", "name"),
        "priority": fields.text("priority", "name"),
        "labels": [label.text()[:100] for label in fields.list("labels")][:50],
        "assignee": fields.text("assignee", "emailAddress"),
        "due": fields.text("duedate"),
        "status": fields.text("status", "name"),
        "done": fields.text("status", "statusCategory", "key") == "done",
        "step": _state_change(payload),
        "changed": sorted({item.text("field") for item in payload.list("changelog", "items")}),
        "change": payload.text("changelog", "id"),
        "actor": _names(payload.at("user")),
    }
    if comment.text("id"):
        told["comment"] = {
            "id": comment.text("id"),
            "text": text_of(comment.at("body").value)[:LONGEST],
            "author": comment.text("author", "displayName") or _person(comment.at("author")),
            "actor": _names(comment.at("author")),
        }
    return told


def _names(person: Payload) -> list[str]:
    """By what an account may be known: the cloud's id, or a server's key and name."""
    return [name for part in ("accountId", "key", "name") if (name := person.text(part))]


def text_of(value: object) -> str:
    """The words of a text, or of a document in Atlassian's format."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(text_of(each) for each in value)
    if not isinstance(value, dict):
        return ""
    kind = value.get("type")
    if kind == "text":
        return str(value.get("text", ""))
    if kind == "hardBreak":
        return "\n"
    if kind in {"mention", "emoji"}:
        return str((value.get("attrs") or {}).get("text", ""))
    words = text_of(value.get("content"))
    return f"{words}\n" if kind in {"paragraph", "heading", "codeBlock", "listItem", "tableRow"} and words else words


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
