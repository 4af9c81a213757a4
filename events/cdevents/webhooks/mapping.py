"""What the mappers share: reading payloads that may be anything, and making CDEvents from them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from core.canonical import utc_text
from events.cdevents.codec import InvalidEvent
from events.cdevents.formats import parse_moment
from events.cdevents.names import TOOL
from events.cdevents.receiving import Heard
from events.cdevents.webhooks.commands import commands_in

SPEC = "0.5.1"
MAX_COMMITS = 100
MAX_TEXT = 20_000
MAX_ADDRESS = 900
_ADDRESS = "!#$%&'()*+,/:;=?@[]-._~"


class Unmappable(InvalidEvent):
    """The payload lacks what an event of its kind has."""

    code = "unmappable"


@dataclass(frozen=True, slots=True)
class Mapped:
    """One event with what was heard besides."""

    body: dict[str, Any]
    heard: Heard


@dataclass(frozen=True, slots=True)
class Payload:
    """A JSON value in which to look without fear: what is not there, or of another kind, is empty."""

    value: Any

    def at(self, *path: str) -> Payload:
        value = self.value
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return Payload(value)

    def text(self, *path: str) -> str:
        value = self.at(*path).value
        if isinstance(value, bool) or not isinstance(value, str | int):
            return ""
        return str(value)[:MAX_TEXT]

    def must(self, *path: str) -> str:
        """The text there; Unmappable names the place when there is none."""
        if text := self.text(*path):
            return text
        place = ".".join(path)
        raise Unmappable(f"The payload has no {place}.", field=place)

    def flag(self, *path: str) -> bool:
        return self.at(*path).value is True

    def list(self, *path: str) -> list[Payload]:
        value = self.at(*path).value
        return [Payload(each) for each in value] if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is mapped: the sender's name for the event, the payload, its id, and when it came."""

    event: str
    payload: Payload
    id: str
    received_at: dt.datetime


Mapper = Callable[[Delivery], Iterable[Mapped]]


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a change belongs: its page, its name, and the package URL type of its site."""

    url: str
    name: str
    site: str

    def reference(self) -> dict[str, str]:
        return {"id": self.name, "source": self.url}

    def package(self, version: str) -> str:
        return f"pkg:{self.site}/{quote(self.name.lower(), safe='/')}@{quote(version, safe='')}"


@dataclass(slots=True)
class Maker:
    """Makes the events of one delivery; each gets the delivery's id with its number, unless it has one of its own."""

    delivery: Delivery
    source: str
    made: int = field(default=0)

    def event(
        self,
        type: str,
        subject_id: str,
        content: dict[str, Any],
        *,
        at: Any = None,
        own_id: str = "",
        custom: dict[str, Any] | None = None,
        texts: Iterable[str] = (),
        commits: Iterable[tuple[str, str]] = (),
        commands: Iterable[dict[str, str]] = (),
        verdict: str = "",
    ) -> Mapped:
        self.made += 1
        body = {
            "context": {
                "specversion": SPEC,
                "id": (own_id or f"{self.delivery.id}/{self.made}")[:300],
                "source": self.source,
                "type": type,
                "timestamp": moment_text(at, self.delivery.received_at),
            },
            "subject": {"id": subject_id[:600], "source": self.source, "content": without_blanks(content)},
            "customData": {TOOL: without_blanks({"delivery": self.delivery.id, **(custom or {})})},
            "customDataContentType": "application/json",
        }
        if own_id:  # the same whichever delivery brings it
            body["customData"] = {TOOL: without_blanks(custom or {})}
        extras = {
            "commits": [{"id": sha, "url": url} for sha, url in commits if sha][:MAX_COMMITS],
            "commands": list(commands),
            "verdict": verdict,
        }
        return Mapped(body, Heard(tuple(text for text in texts if text), extras))


def commit_events(maker: Maker, repository: Repository, branch: str, commits: Iterable[Payload]) -> Iterable[Mapped]:
    """One event per commit of a push, which tells the one before it there; the same commit on the same branch is the same
    event, whoever tells of it."""
    before = ""
    for commit in list(commits)[-MAX_COMMITS:]:
        sha, message = commit.must("id"), commit.text("message")
        email = commit.text("author", "email")
        content = {
            "repository": repository.reference(),
            "branch": branch,
            "message": message,
            "author": email or commit.text("author", "name"),
            "url": commit.text("url"),
        }
        yield maker.event(
            f"dev.cdeventsx.{TOOL}-commit.pushed.0.1.0",
            sha,
            content,
            at=commit.text("timestamp"),
            own_id=f"commit/{sha}/{branch}",
            texts=(message, branch),
            commits=[(before, ""), (sha, commit.text("url"))],
            commands=commands_in(message, email),
        )
        before = sha


def without_blanks(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty: null is valid nowhere in CDEvents."""
    return {name: each for name, each in value.items() if each not in (None, "", [], {})}


def address(text: str) -> str:
    """An http(s) address that the schemas take: other characters escaped. Unmappable when it is none."""
    text = quote(text.strip(), safe=_ADDRESS)
    if not text.lower().startswith(("https://", "http://")) or len(text) > MAX_ADDRESS:
        raise Unmappable(f"{text[:80]!r} is no address of a page.", field="url")
    return text


_SPOKEN = re.compile(r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.\d+)? (?:UTC|([+-]\d{2}):?(\d{2}))")
_SHORT_OFFSET = re.compile(r"([+-]\d{2})(\d{2})$")


def moment_text(given: Any, default: dt.datetime) -> str:
    """When it happened, as RFC 3339: senders write ISO, GitLab's own way, or seconds or milliseconds since 1970."""
    moment = None
    if isinstance(given, str):
        if spoken := _SPOKEN.fullmatch(given):
            date, time, hours, minutes = spoken.groups()
            given = f"{date}T{time}" + (f"{hours}:{minutes}" if hours else "Z")
        moment = parse_moment(_SHORT_OFFSET.sub(r"\1:\2", given) if "T" in given else given)
    elif isinstance(given, int) and not isinstance(given, bool) and 0 < given < 10**13:
        moment = dt.datetime.fromtimestamp(given / 1000 if given >= 10**11 else given, dt.UTC)
    return utc_text(moment or default)
