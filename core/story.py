"""How a story is told: steps of the running system, each checked, printed with its link; the first surprise ends it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx2

Thing = TypeVar("Thing")

POLL_SECONDS = 0.15


class Surprise(Exception):
    """The system did something else than the story says."""


class Voice:
    """Prints the story to whatever has write and flush: colours on a terminal, plain text elsewhere."""

    def __init__(self, out: Any, *, colours: bool) -> None:
        self.out = out
        self.colours = colours
        self.begun = time.monotonic()

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours and text else text

    def say(self, text: str = "") -> None:
        self.out.write(text + "\n")
        self.out.flush()

    def chapter(self, title: str) -> None:
        self.say("\n" + self._paint("1", title))

    def step(self, text: str, link: str = "") -> None:
        """Something that went as it should."""
        seconds = f"{self.seconds():6.1f} s"
        self.say(f"  {self._paint('32', '✓')} {self._paint('2', seconds)}  {text}  {self._paint('36', link)}".rstrip())

    def line(self, text: str) -> None:
        """Something quoted, such as a line of a log."""
        self.say(self._paint("2", f"               │ {text}"))

    def surprise(self, text: str) -> None:
        self.say(f"  {self._paint('1;31', '✗')} {self._paint('2', f'{self.seconds():6.1f} s')}  {text}")

    def seconds(self) -> float:
        return time.monotonic() - self.begun


class Caller:
    """One account at the REST face of the running system, by its token."""

    def __init__(self, url: str, account: dict[str, str]) -> None:
        self.email = account["email"]
        self.name = account.get("name") or account["email"]
        self.tenant = account["tenant"]
        self._http = httpx2.Client(
            base_url=url, headers={"Authorization": f"Bearer {account['token']}"}, timeout=15, follow_redirects=False
        )

    def get(self, path: str, *, expect: int = 200, **query: Any) -> Any:
        return self._answer(self._http.get(path, params=query or None), expect)

    def post(self, path: str, body: dict[str, Any] | None = None, *, expect: int = 200, key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return self._answer(self._http.post(path, json=body or {}, headers=headers), expect)

    def put(self, path: str, body: dict[str, Any], *, expect: int = 200) -> Any:
        return self._answer(self._http.put(path, json=body), expect)

    def look(self, path: str, **query: Any) -> tuple[int, Any]:
        """What a GET answered, whatever that is: the status and the body, None without one."""
        response = self._http.get(path, params=query or None)
        return response.status_code, response.json() if response.content else None

    def attempt(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """What a POST answered, whatever that is: the status and the body, None without one."""
        response = self._http.post(path, json=body)
        return response.status_code, response.json() if response.content else None

    def _answer(self, response: httpx2.Response, expect: int) -> Any:
        if response.status_code != expect:
            request = response.request
            raise Surprise(
                f"{request.method} {request.url} as {self.email} answered {response.status_code}, not {expect}: "
                f"{response.text[:500]}"
            )
        return response.json()


def wait_for(what: str, look: Callable[[], Thing | None], *, seconds: float = 30) -> Thing:
    """The first answer of `look` that is not None or empty; Surprise when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        if time.monotonic() > end:
            raise Surprise(f"Waited {seconds:.0f} s in vain: {what}.")
        time.sleep(POLL_SECONDS)


def insist(fact: bool, text: str) -> None:
    """Surprise with `text` unless `fact`."""
    if not fact:
        raise Surprise(text)
