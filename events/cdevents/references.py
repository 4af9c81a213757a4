"""What an event points at: the things its subject names, its links, and the texts in which tickets may be named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from events.cdevents.domain_ids import parse_domain_id

MAX_REFERENCES, MAX_LINKS = 50, 100
# Content that holds an id of another subject as a text: the kind of thing it names.
_TEXTS = {"artifactId": "artifact", "ticketURI": "ticket_uri"}
_OBJECTS = {
    "environment": "environment", "change": "change", "repository": "repository", "service": "service",
    "pipelineRun": "pipelinerun", "testSuiteRun": "testsuiterun", "testCaseRun": "testcaserun",
    "testSuite": "testsuite", "testCase": "testcase",
}  # fmt: skip


def references_of(body: dict[str, Any]) -> list[dict[str, str]]:
    """Every subject reference in `subject.content`, with its role there."""
    content = body["subject"].get("content")
    if not isinstance(content, dict):
        return []
    found = [reference for role, value in content.items() if (reference := _reference(role, value))]
    return found[:MAX_REFERENCES]


def _reference(role: str, value: Any) -> dict[str, str] | None:
    if role in _TEXTS and isinstance(value, str) and value:
        return {"role": role, "kind": _TEXTS[role], "id": value, "source": ""}
    if role in _OBJECTS and isinstance(value, dict) and isinstance(value.get("id"), str):
        return {"role": role, "kind": _OBJECTS[role], "id": value["id"], "source": str(value.get("source", ""))}
    return None


def links_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The links in the context, in our spelling."""
    links = body["context"].get("links")
    return [flat_link(link) for link in links[:MAX_LINKS] if isinstance(link, dict)] if isinstance(links, list) else []


def flat_link(link: dict[str, Any]) -> dict[str, Any]:
    """type, and whichever there are of kind, from, source, target (also what PATH calls to, START start, END end), tags."""
    flat: dict[str, Any] = {"type": str(link.get("linkType", ""))}
    if link.get("linkKind"):
        flat["kind"] = link["linkKind"]
    if isinstance(link.get("from"), dict):
        flat["from"] = _end(link["from"])
    if isinstance(link.get("source"), dict):
        flat["source"] = _end(link["source"])
    for name in ("target", "to", "start", "end"):
        if isinstance(link.get(name), dict):
            flat["target"] = _end(link[name])
    if link.get("tags"):
        flat["tags"] = link["tags"]
    return flat


def _end(end: dict[str, Any]) -> dict[str, str]:
    """An end that names a thing outside counts by that name."""
    if isinstance(end.get("domainId"), str):
        return {"domain_id": end["domainId"]}
    return {"context_id": str(end.get("contextId", ""))}


def texts_naming_tickets(body: dict[str, Any]) -> Iterator[str]:
    """The texts of an event in which ticket keys may stand."""
    for link in links_of(body):
        for end in ("from", "source", "target"):
            named = parse_domain_id(link.get(end, {}).get("domain_id", ""))
            if named is not None and named.type == "issue":
                yield named.resource
    subject, content = body["subject"], body["subject"].get("content")
    if ".ticket." in str(body["context"].get("type")):
        yield str(subject.get("id", ""))
    if isinstance(content, dict):
        for name in ("description", "ticketURI"):
            if isinstance(content.get(name), str):
                yield _last_of(content[name]) if name == "ticketURI" else content[name]
    yield from _tickets_in(body.get("customData"))


def _last_of(address: str) -> str:
    return unquote(urlsplit(address).path.rstrip("/").rpartition("/")[2])


def _tickets_in(custom: Any) -> Iterator[str]:
    """`tickets` of customData, at its top or in one tool's part: keys, or objects with a key."""
    if not isinstance(custom, dict):
        return
    for part in (custom, *(value for value in custom.values() if isinstance(value, dict))):
        tickets = part.get("tickets")
        for ticket in tickets[:100] if isinstance(tickets, list) else []:
            key = ticket.get("key", ticket.get("id", "")) if isinstance(ticket, dict) else ticket
            if isinstance(key, str):
                yield key
