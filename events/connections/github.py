"""GitHub's REST API as far as it is used: what a pull request is, commit statuses, deployments, comments kept up to date."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from core.failpoints import failpoint
from events.connections.calls import Caller
from events.connections.errors import Missing
from events.models import Connection

LOOKED_AT = 100
MARKER = "stagepass"
_PULL = re.compile(r"/([\w.-]+)/([\w.-]+)/pull/([1-9]\d{0,9})(?:/.*)?")
_COMMIT = re.compile(r"/([\w.-]+)/([\w.-]+)/commit/([0-9a-f]{40}(?:[0-9a-f]{24})?)(?:/.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Change:
    """A pull request, or a commit by itself."""

    repository: str
    pull: int = 0
    sha: str = ""

    def __str__(self) -> str:
        return f"{self.repository}#{self.pull}" if self.pull else f"{self.repository}@{self.sha}"


def change_at(connection: Connection, url: str) -> Change | None:
    """The pull request or commit that an address shows, if it is one of this connection's."""
    parts = urlsplit(url)
    if parts.netloc.lower() != web_host(connection):
        return None
    change = None
    if match := _PULL.fullmatch(parts.path):
        change = Change(f"{match[1]}/{match[2]}", pull=int(match[3]))
    elif match := _COMMIT.fullmatch(parts.path):
        change = Change(f"{match[1]}/{match[2]}", sha=match[3].lower())
    return change if change and _is_for(connection, change.repository) else None


def web_host(connection: Connection) -> str:
    """Where people see it: api.github.com is github.com, an enterprise server has its API on its own host."""
    host = urlsplit(connection.url).netloc.lower()
    return host.removeprefix("api.") if host == "api.github.com" else host


def _is_for(connection: Connection, repository: str) -> bool:
    places = [place.strip().lower() for place in connection.places.split(",") if place.strip()]
    return not places or repository.lower() in places or repository.lower().partition("/")[0] in places


class GitHub:
    """One GitHub, as whoever owns the token of its connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.caller = connection, Caller(connection, "application/vnd.github+json")

    def __enter__(self) -> GitHub:
        return self

    def __exit__(self, *error: object) -> None:
        self.caller.http.close()

    def know_ourselves(self) -> str:
        """Who the token belongs to."""
        return str(self.caller.call("GET", "/user").get("login", ""))[:200]

    def head_of(self, change: Change) -> str:
        """The commit to mark."""
        if change.sha:
            return change.sha
        answer = self.caller.call("GET", f"/repos/{_path(change)}/pulls/{change.pull}")
        return str(answer["head"]["sha"])

    def mark(self, change: Change, sha: str, *, context: str, state: str, text: str, url: str) -> None:
        """The commit's status under `context`; a later one replaces it."""
        body = {"state": state, "context": context[:250], "description": text[:140], "target_url": url}
        self.caller.call("POST", f"/repos/{_path(change)}/statuses/{sha}", body)

    def deploy(self, change: Change, sha: str, *, environment: str, text: str, nonce: str, made: bool) -> int:
        """A deployment of the commit to the environment, as it stands; its id. `made`: an earlier call may have made it.

        Nothing is merged, and no status is waited for: whether it may be deployed was decided here.
        """
        path = f"/repos/{_path(change)}/deployments"
        if made:
            found: list[dict[str, Any]] = self.caller.call("GET", path, environment=environment, per_page=LOOKED_AT)
            for each in found:
                if _nonce(each.get("payload")) == nonce:
                    return int(each["id"])
        body = {
            "ref": sha, "task": "deploy", "auto_merge": False, "required_contexts": [], "environment": environment,
            "description": text[:140], "payload": {MARKER: nonce}, "production_environment": True,
        }  # fmt: skip
        answer = self.caller.call("POST", path, body)
        failpoint("after_github_deployment")
        return int(answer["id"])

    def say_deployed(self, change: Change, number: int, *, state: str, text: str, url: str, said: bool) -> None:
        """How the deployment stands now; `said`: an earlier call may have said so."""
        path = f"/repos/{_path(change)}/deployments/{number}/statuses"
        if said:
            found: list[dict[str, Any]] = self.caller.call("GET", path, per_page=1)
            if found and (found[0].get("state"), found[0].get("description")) == (state, text[:140]):
                return
        body = {"state": state, "description": text[:140], "log_url": url, "auto_inactive": False}
        self.caller.call("POST", path, body)

    def comment(self, change: Change, text: str, marker: str, known: int = 0) -> int:
        """The one comment with `marker` on the pull request, made or updated in place; its id."""
        number = known or self._find(change, marker)
        if number:
            try:
                self.caller.call("PATCH", f"/repos/{_path(change)}/issues/comments/{number}", {"body": text})
                return number
            except Missing:  # someone deleted it
                pass
        answer = self.caller.call("POST", f"/repos/{_path(change)}/issues/{change.pull}/comments", {"body": text})
        return int(answer["id"])

    def _find(self, change: Change, marker: str) -> int:
        """A worker that died after GitHub took the comment knew its id; GitHub still does."""
        path = f"/repos/{_path(change)}/issues/{change.pull}/comments"
        found: list[dict[str, Any]] = self.caller.call("GET", path, per_page=LOOKED_AT)
        return next((int(each["id"]) for each in found if marker in str(each.get("body", ""))), 0)


def _nonce(payload: Any) -> str:
    """What a deployment was made for; GitHub gives some payloads as text."""
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except ValueError:
            return ""
    return str(payload.get(MARKER, "")) if isinstance(payload, dict) else ""


def _path(change: Change) -> str:
    return quote(change.repository, safe="/")
