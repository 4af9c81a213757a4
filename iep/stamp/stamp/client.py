"""Talking to the service: one connection, patience with it, and its refusals in the words of stamp.errors."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from stamp import __version__
from stamp.errors import Away, Conflict, Failed, NotLoggedIn, Refused, Stop, Unknown

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0  # seconds
AWAY = {429, 502, 503, 504}
BY_STATUS: dict[int, type[Stop]] = {
    401: NotLoggedIn, 403: NotLoggedIn, 404: Unknown, 409: Conflict, 412: Conflict, 423: Conflict,
    **dict.fromkeys(AWAY, Away),
}  # fmt: skip
BY_CODE: dict[str, type[Stop]] = {"policy_refused": Refused, "waiting_for_sign_off": Refused}
HINTS = {
    "insufficient_scope": "Log in again (`stamp login`), or use a token with this scope.",
    "not_authenticated": "Run `stamp login`, or set STAMP_TOKEN.",
    "authentication_failed": "The token is expired or revoked. Run `stamp login`.",
    "key_conflict": "stamp rebase TICKET --mine PATH or --theirs PATH",
    "revision_conflict": "Somebody changed it in between. Look at `stamp status`, then try again.",
    "not_in_dev": "Bring it back to dev first: stamp revert, or stamp reopen.",
}


@dataclass
class Answer:
    """What the service said."""

    status: int
    body: Any
    etag: str = ""


@dataclass
class Service:
    """The stamp API of one server, as one person."""

    server: str
    token: str = ""
    retries: int = 4
    timeout: float = 30.0
    say: Callable[[str], None] = lambda _: None
    pause: Callable[[float], None] = time.sleep
    _http: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Accept": "application/json", "User-Agent": f"ticket-stamp/{__version__}"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        limits = httpx2.Limits(max_connections=8)
        self._http = httpx2.Client(
            base_url=self.server, headers=headers, timeout=httpx2.Timeout(self.timeout, connect=5.0), limits=limits
        )

    def close(self) -> None:
        self._http.close()

    def application(self, slug: str) -> dict[str, Any]:
        return dict(self.get(f"/applications/{quote(slug, safe='')}").body)

    def get(self, path: str, /, **query: Any) -> Answer:
        return self.send("GET", path, params={key: value for key, value in query.items() if value is not None})

    def post(self, path: str, body: dict[str, Any], *, revision: int | None = None) -> Answer:
        """POST with a key of its own, so that a repetition after a lost answer does nothing twice."""
        headers = {"Content-Type": "application/json"}
        if self.token:  # keys are remembered per person
            headers["Idempotency-Key"] = str(uuid.uuid4())
        if revision is not None:
            headers["If-Match"] = f'"{revision}"'
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return self.send("POST", path, content=text, headers=headers)

    def put(self, path: str, content: bytes) -> Answer:
        return self.send("PUT", path, content=content, headers={"Content-Type": "application/octet-stream"})

    def send(self, method: str, path: str, **parts: Any) -> Answer:
        """The answer of the first try that gets one; Stop for refusals, Away after the last try."""
        for turn in range(self.retries + 1):
            try:
                return self._once(method, path, **parts)
            except Away as away:
                if turn == self.retries:
                    raise
                wait = back_off(turn, away.retry_after)
                self.say(f"{away.message} Trying again in {wait:.1f} s ({turn + 1} of {self.retries}).")
                self.pause(wait)
        raise AssertionError("the last turn returns or raises")

    def _once(self, method: str, path: str, **parts: Any) -> Answer:
        began = time.monotonic()
        try:
            response = self._http.request(method, f"/v1/iep{path}", **parts)
        except httpx2.HTTPError as error:
            place = urlsplit(self.server).netloc
            raise Away(
                f"{place} does not answer ({type(error).__name__}).", code="unreachable",
                hint="Is the address right (--server, STAMP_SERVER, .stamp.toml), and is the server running?",
            ) from error  # fmt: skip
        self.say(f"{method} {path} → {response.status_code} in {(time.monotonic() - began) * 1000:.0f} ms")
        if response.is_success:
            return Answer(response.status_code, _json(response), response.headers.get("etag", ""))
        raise _refusal(response)


def back_off(turn: int, asked: float = 0.0) -> float:
    """Seconds before the next try: twice as long each time, some of it by chance, never less than the server asked for."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**turn)
    return max(min(asked, 60.0), longest * random.uniform(0.5, 1.0))  # noqa: S311


def _json(response: httpx2.Response) -> Any:
    if not response.content:
        return {}
    try:
        return response.json()
    except ValueError:
        raise Failed(
            f"{response.request.url.host} answered with something that is not JSON.",
            hint="Is this a Stagepass server? Look at --server, STAMP_SERVER, .stamp.toml.",
        ) from None


def _refusal(response: httpx2.Response) -> Stop:
    told: dict[str, Any] = {}
    if "json" in response.headers.get("content-type", ""):
        try:
            told = dict(response.json())
        except ValueError:
            told = {}
    code = str(told.get("code", ""))
    kind = BY_CODE.get(code) or BY_STATUS.get(response.status_code) or Failed
    if response.status_code >= 500 and kind is Failed:
        kind = Away if response.request.method in {"GET", "PUT"} else Failed
    message = told.get("detail") or told.get("title") or f"The server answered {response.status_code}."
    stop = kind(
        str(message),
        hint=_hint(code, told, response.request.url.path),
        code=code,
        lines=_lines(told),
        details=_details(told),
    )
    if isinstance(stop, Away):
        text = response.headers.get("retry-after", "")
        stop.retry_after = float(text) if text.isdigit() else 0.0
    return stop


def _hint(code: str, told: dict[str, Any], address: str) -> str:
    """What to do now, with the words of this case where they are known."""
    paths = [str(each.get("path")) for each in told.get("conflicts") or ()]
    ticket = address.partition("/stamps/")[2].partition("/")[0]
    if code == "key_conflict" and paths and ticket:
        return f"stamp rebase {ticket} " + " ".join(f"--mine {path}" for path in paths[:3]) + "   (or --theirs)"
    return HINTS.get(code, "")


def _details(told: dict[str, Any]) -> dict[str, Any]:
    known = {"type", "title", "status", "code", "detail", "field", "instance"}
    return {key: value for key, value in told.items() if key not in known}


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [f"{error.get('field') or 'error'}: {error.get('message')}" for error in told.get("errors") or ()]
    lines += [verdict_line(verdict) for verdict in told.get("verdicts") or ()]
    return lines + [conflict_line(conflict) for conflict in told.get("conflicts") or ()]


def verdict_line(verdict: dict[str, Any]) -> str:
    sign = {"pass": "✓", "warn": "!", "block": "✗"}.get(str(verdict.get("outcome")), "?")
    return f"{sign} {verdict.get('policy')}: {verdict.get('reason')}"


def conflict_line(conflict: dict[str, Any]) -> str:
    other = f" ({conflict['ticket']})" if conflict.get("ticket") else ""
    return f"! {conflict.get('path')}{other}: {conflict.get('detail') or conflict.get('kind')}"
