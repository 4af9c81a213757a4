"""Jira's REST API as far as it is used: version 3 of the cloud with its document format, version 2 of servers with text."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from urllib.parse import quote

from core.failpoints import failpoint
from events.connections.calls import Caller
from events.connections.marks import CHANGE, COMMENT, recall, remember
from events.models import Connection

LONGEST_TEXT = 30_000
PROPERTY = "stagepass"
LOOKED_AT = 100


class Jira:
    """One Jira, as the account that its connection names."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.cloud = bool(connection.user)
        self.caller = Caller(connection)
        self.api = f"/rest/api/{3 if self.cloud else 2}"

    def __enter__(self) -> Jira:
        return self

    def __exit__(self, *error: object) -> None:
        self.caller.http.close()

    def _call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        return self.caller.call(method, self.api + path, body, **params)

    def know_ourselves(self) -> str:
        """Who we are there, asked once; so that what we did is not taken for news."""
        if not self.connection.account:
            me = self._call("GET", "/myself")
            account = str(me.get("accountId") or me.get("key") or me.get("name") or "")[:200]
            Connection.objects.filter(pk=self.connection.pk).update(account=account)
            self.connection.account = account
        return self.connection.account

    # Status

    def standing(self, issue: str) -> tuple[str, str]:
        """The issue's type, and the status that it is in."""
        fields = self._call("GET", f"/issue/{_path(issue)}", fields="status,issuetype")["fields"]
        return str((fields.get("issuetype") or {}).get("name", "")), str(fields["status"]["name"])

    def offers(self, issue: str) -> list[dict[str, Any]]:
        """The transitions that Jira's workflow has from where the issue is."""
        found: list[dict[str, Any]] = self._call("GET", f"/issue/{_path(issue)}/transitions").get("transitions", [])
        return found

    def take(self, issue: str, transition: str) -> str:
        """Take one of them; the status that the issue is in then."""
        self._call("POST", f"/issue/{_path(issue)}/transitions", {"transition": {"id": transition}})
        failpoint("after_jira_transition")
        after = self.look(issue, "status")
        self._remember_changes(after)
        return str(after["fields"]["status"]["name"])

    def _remember_changes(self, issue: dict[str, Any]) -> None:
        """The newest entry of the history that is ours."""
        ours = [each for each in issue.get("changelog", {}).get("histories", []) if self._is_ours(each.get("author"))]
        if ours:
            newest = max(ours, key=lambda each: int(each["id"]) if str(each["id"]).isdigit() else 0)
            remember(self.connection, CHANGE, str(newest["id"]))

    def _is_ours(self, person: Any) -> bool:
        known = {str(person.get(name)) for name in ("accountId", "key", "name")} if isinstance(person, dict) else set()
        return self.connection.account in known

    # Fields

    def look(self, issue: str, *fields: str) -> dict[str, Any]:
        """These fields of the issue, and its history."""
        found = self._call("GET", f"/issue/{_path(issue)}", fields=",".join(fields), expand="changelog")
        return {"fields": {}, **found}

    def changed_later(self, seen: dict[str, Any], field: str, moment: dt.datetime) -> str:
        """Who changed the field after `moment`, other than us; empty: nobody."""
        for each in seen.get("changelog", {}).get("histories", []):
            if _when(each.get("created")) > moment and field in {item.get("field") for item in each.get("items", [])}:
                ours = self._is_ours(each.get("author")) and (
                    not self.connection.shared or recall(self.connection, CHANGE, str(each["id"])) is not None
                )
                if not ours:
                    return str((each.get("author") or {}).get("displayName") or "Somebody")
        return ""

    def editable(self, issue: str) -> dict[str, Any]:
        """The fields that our account may edit there, with the values that are allowed."""
        found: dict[str, Any] = self._call("GET", f"/issue/{_path(issue)}/editmeta").get("fields", {})
        return found

    def edit(self, issue: str, fields: dict[str, Any], update: dict[str, Any]) -> None:
        """Set `fields`, and add to or take from those of `update`."""
        self._call("PUT", f"/issue/{_path(issue)}", {"fields": fields, "update": update})
        failpoint("after_jira_edit")
        self._remember_changes(self.look(issue, "status"))

    # Comments

    def comment(self, issue: str, text: str, mark: str, *, links: tuple[tuple[str, str], ...] = (), again: bool) -> str:
        """Say it on the issue, once for each `mark`; the comment's id. `again`: an earlier attempt may have said it."""
        if found := recall(self.connection, COMMENT, f"said:{issue}:{mark}"):
            return str(found["id"])
        if again and (lost := self._find_lost(issue, mark)):
            self._keep_comment(issue, mark, lost)
            return lost
        answer = self._call(
            "POST", f"/issue/{_path(issue)}/comment",
            {"body": self._body(text, links), "properties": [{"key": PROPERTY, "value": {"mark": mark}}]},
        )  # fmt: skip
        failpoint("after_jira_comment")
        self._keep_comment(issue, mark, str(answer["id"]))
        return str(answer["id"])

    def _keep_comment(self, issue: str, mark: str, comment: str) -> None:
        remember(self.connection, COMMENT, comment)
        remember(self.connection, COMMENT, f"said:{issue}:{mark}", {"id": comment})

    def _find_lost(self, issue: str, mark: str) -> str:
        """A worker that died after Jira took the comment knew its id; Jira still does."""
        answer = self._call(
            "GET", f"/issue/{_path(issue)}/comment", orderBy="-created", maxResults=LOOKED_AT, expand="properties"
        )
        for comment in answer.get("comments", []):
            for each in comment.get("properties", []):
                if each.get("key") == PROPERTY and _value(each).get("mark") == mark:
                    return str(comment["id"])
        return ""

    def _body(self, text: str, links: tuple[tuple[str, str], ...]) -> Any:
        text = text[:LONGEST_TEXT]
        if self.cloud:
            return document(text, links)
        return "\n".join([text, *(f"[{_plain(label)}|{url}]" for label, url in links)])

    # Links and issues

    def link(self, issue: str, name: str, url: str, title: str, summary: str = "") -> None:
        """Show an address of ours on the issue; the same `name` again replaces it."""
        shown = {"url": url, "title": title[:250], "summary": summary[:250]}
        body = {"globalId": f"stagepass:{name}"[:250], "application": {"name": "Stagepass"}, "object": shown}
        self._call("POST", f"/issue/{_path(issue)}/remotelink", body)

    def open(self, project: str, kind: str, title: str, text: str, labels: list[str], *, again: bool) -> dict[str, str]:
        """A new issue: its id and key. Its first label is what it is found by when an earlier attempt may have made it."""
        if again and (lost := self._find_issue(project, labels[0])):
            return lost
        fields = {
            "project": {"key": project}, "issuetype": {"name": kind}, "summary": " ".join(title.split())[:250],
            "description": self._body(text, ()), "labels": labels,
        }  # fmt: skip
        made = self._call("POST", "/issue", {"fields": fields})
        failpoint("after_jira_issue")
        return {"id": str(made["id"]), "key": str(made["key"])}

    def _find_issue(self, project: str, label: str) -> dict[str, str]:
        jql = f'project = "{_quoted(project)}" AND labels = "{_quoted(label)}"'
        path = "/search/jql" if self.cloud else "/search"
        found = self._call("GET", path, jql=jql, fields="status", maxResults=1).get("issues", [])
        return {"id": str(found[0]["id"]), "key": str(found[0]["key"])} if found else {}


def document(text: str, links: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
    """Text as Atlassian's document format: a paragraph for each, lines kept, and the links below."""
    paragraphs = [_paragraph(part) for part in text.split("\n\n") if part.strip()]
    for label, url in links:
        mark = {"type": "link", "attrs": {"href": url}}
        paragraphs.append({"type": "paragraph", "content": [{"type": "text", "text": label, "marks": [mark]}]})
    return {"type": "doc", "version": 1, "content": paragraphs}


def _paragraph(text: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n")):
        if number:
            content.append({"type": "hardBreak"})
        if line:
            content.append({"type": "text", "text": line})
    return {"type": "paragraph", "content": content}


def is_plain(content: Any) -> bool:
    """Whether a description is nothing but text, so that ours takes nothing else away."""
    if content is None or isinstance(content, str):
        return True
    if not isinstance(content, dict) or content.get("type") not in {"doc", "paragraph", "text", "hardBreak"}:
        return False
    return not content.get("marks") and all(is_plain(each) for each in content.get("content", []))


def _when(text: Any) -> dt.datetime:
    """A time of Jira's, such as 2026-01-31T10:00:00.000+0000; long ago for none."""
    try:
        moment = dt.datetime.fromisoformat(str(text))
    except ValueError:
        moment = dt.datetime.min
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _value(entry: dict[str, Any]) -> dict[str, Any]:
    value = entry.get("value")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _plain(text: str) -> str:
    return text.translate(str.maketrans("", "", "[]|{}"))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _path(issue: str) -> str:
    return quote(issue, safe="")


def same(one: Any, other: str) -> bool:
    return str(one).strip().casefold() == other.strip().casefold()
