"""Calls to a connection's API: bounded in time and size, with refusals in our words: wait, rest, or never."""

from __future__ import annotations

import base64
import json
import time
from types import TracebackType
from typing import Any

from django.conf import settings

from core.clock import now
from events.connections.errors import Missing
from events.endpoints.guard import Forbidden, check_url
from events.endpoints.secrets import unseal
from events.models import Connection, ConnectionKind
from events.notifiers.webhooks import read_wait
from events.types import DeliveryFailed, DeliveryRefused

CONNECT_SECONDS = 5.0
# For one whole call, however the other side spreads its answer.
CALL_SECONDS = 10.0
LARGEST_ANSWER = 4 * 1024 * 1024
DEFAULT_WAIT, LONGEST_WAIT = 30.0, 3600.0


class Caller:
    """One system's API, for as long as it is needed."""

    def __init__(self, connection: Connection, accept: str = "application/json") -> None:
        import httpx2

        try:
            check_url(connection.url)
        except Forbidden as error:
            raise DeliveryFailed(f"{connection} cannot be called: {error}", channel_down=True) from error
        self.name, self.base = str(connection), connection.url.rstrip("/")
        self.http = httpx2.Client(
            headers={
                "Authorization": authorization(connection),
                "Accept": accept,
                "Accept-Encoding": "identity",  # so that a size is what it says
                "User-Agent": f"Stagepass ({settings.SITE_URL})",
            },
            timeout=httpx2.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
        )

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.http.close()

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """What it answers; Missing, DeliveryRefused for what will never work, DeliveryFailed for what may later."""
        import httpx2

        end = time.monotonic() + CALL_SECONDS
        try:
            with self.http.stream(method, self.base + path, params=params or None, json=body) as response:
                content = _read(response, end)
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            reason = f"{self.name} does not answer: {str(error) or type(error).__name__}"
            raise DeliveryFailed(reason, channel_down=True) from error
        if response.is_success:
            return self._parse(content)
        raise self._failure(response.status_code, response.headers, content)

    def _parse(self, content: bytes) -> Any:
        if not content.strip():
            return {}
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise DeliveryFailed(
                f"{self.name} answers something that is no JSON. Is the address right?", channel_down=True
            ) from error

    def _failure(self, status: int, headers: Any, content: bytes) -> DeliveryFailed:
        said = f"{self.name} answered {status}{_said(content)}."
        limited = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
        if status == 429 or (status == 403 and limited):
            return DeliveryFailed(said, _wait_of(headers), channel_down=True)
        if status == 401:
            return DeliveryFailed(f"{said} Put a valid token into the connection.", channel_down=True)
        if status >= 500 or status == 408:
            wait = read_wait(headers.get("retry-after", ""))
            return DeliveryFailed(said, min(wait, LONGEST_WAIT) if wait else None, channel_down=True)
        if 300 <= status < 400:
            return DeliveryFailed(f"{said} Redirects are not followed: give the final address.", channel_down=True)
        if status in {404, 410}:
            return Missing(said)
        if status in {409, 423}:
            return DeliveryFailed(said)
        return DeliveryRefused(said)


def authorization(connection: Connection) -> str:
    """The header by which the system knows us."""
    secret = unseal(connection.secret) if connection.secret else ""
    if not secret:
        raise DeliveryFailed(f"{connection} has no token that can be read. Enter it again.", channel_down=True)
    if connection.kind == ConnectionKind.JIRA and connection.user:
        return "Basic " + base64.b64encode(f"{connection.user}:{secret}".encode()).decode()
    return f"Bearer {secret}"


def _wait_of(headers: Any) -> float:
    """Seconds until it will listen again, by Retry-After or GitHub's reset."""
    wait = read_wait(headers.get("retry-after", ""))
    reset = headers.get("x-ratelimit-reset", "")
    if wait is None and reset.isascii() and reset.isdigit():
        wait = max(0.0, int(reset[:12]) - now().timestamp())
    return DEFAULT_WAIT if wait is None else min(wait, LONGEST_WAIT)


def _read(response: Any, end: float) -> bytes:
    """The body, unless it is too large or trickles in."""
    import httpx2

    content = bytearray()
    for chunk in response.iter_raw():
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise httpx2.ReadError(f"its answer has more than {LARGEST_ANSWER // 1024} KiB")
        if time.monotonic() > end:
            raise httpx2.ReadTimeout("its answer trickles in too slowly")
    return bytes(content)


def _said(content: bytes) -> str:
    """What it says about an error, short and in one line."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(answer, dict):
        return ""
    errors = answer.get("errors")
    told = [answer.get("message"), *(answer.get("errorMessages") or [])]
    told += errors.values() if isinstance(errors, dict) else []
    words = " ".join(" ".join(str(each) for each in told if each).split())
    return f": {words[:300].rstrip('.')}" if words else ""
