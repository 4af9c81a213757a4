"""Bring an issue to a status, over several steps where Jira's workflow asks for them and the way is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Protocol

from core.clock import now
from events.connections.jira import Jira, same
from events.connections.marks import STEP, WALK, forget, recall, remember
from events.types import DeliveryRefused

MOST_STEPS = 6
# How long a step that was announced may take until its webhook is here.
ANNOUNCED_FOR = dt.timedelta(minutes=10)


class Ways(Protocol):
    """What is known of a project's workflow: Jira itself tells only the next steps."""

    def find(self, kind: str, start: str, goal: str) -> tuple[list[str], bool]:
        """The statuses to go through for an issue of this type, the goal last; and whether somebody entered that way."""

    def learn(self, kind: str, start: str, end: str) -> None:
        """That an issue of this type got from one to the other in one step."""


class NoWay(DeliveryRefused):
    """The issue cannot be brought there; `status` is where it is now."""

    def __init__(self, said: str, status: str) -> None:
        super().__init__(said)
        self.status = status


def move(jira: Jira, issue: str, wanted: str, ways: Ways) -> dict[str, Any]:
    """Bring the issue to the status of that name; nothing when it is there already.

    Directly where Jira offers it, otherwise only along a way that was entered or taken before. NoWay names what is offered
    when there is none; an issue that got stuck on the way is put back to where it was, if Jira offers that.
    """
    return _Walk(jira, issue, wanted, ways).go()


class _Walk:
    def __init__(self, jira: Jira, issue: str, wanted: str, ways: Ways) -> None:
        self.jira, self.issue, self.wanted, self.ways = jira, issue, wanted, ways
        self.kind, self.status = jira.standing(issue)
        self.mark = f"{issue}:{wanted}"
        begun = recall(jira.connection, WALK, self.mark) or {}
        # An attempt that was interrupted is taken up where it stands, unless somebody moved the issue since.
        steps: list[str] = begun.get("through", [])
        reached = next((n for n, each in enumerate(steps, 1) if same(self.status, each)), 0)
        self.start: str = begun["from"] if reached else self.status
        self.through = steps[:reached]

    def go(self) -> dict[str, Any]:
        if same(self.status, self.wanted):
            forget(self.jira.connection, WALK, self.mark)
            return {"status": self.status} | self._told()
        for _ in range(MOST_STEPS):
            offered = self.jira.offers(self.issue)
            step, last = self._choose(offered)
            if step is None:
                raise self._stuck(offered, "")
            if not last:
                self.through.append(str(step["to"]["name"]))
                remember(self.jira.connection, WALK, self.mark, {"from": self.start, "through": self.through})
            try:
                self._take(step)
            except DeliveryRefused as error:
                if not self.through:
                    raise
                raise self._stuck(offered, f" {error}") from error
            if last or same(self.status, self.wanted):
                forget(self.jira.connection, WALK, self.mark)
                return {"status": self.status, "from": self.start} | self._told()
        raise self._stuck(self.jira.offers(self.issue), "")

    def _told(self) -> dict[str, Any]:
        return {"through": self.through} if self.through else {}

    def _choose(self, offered: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, bool]:
        """The transition to take, and whether it is the last one."""
        direct = _leading(offered, self.wanted) or next((o for o in offered if same(o["name"], self.wanted)), None)
        if direct is not None:
            return direct, True
        path, entered = self.ways.find(self.kind, self.status, self.wanted)
        step = _leading(offered, path[0]) if path else None
        if step is None or any(same(path[0], each) for each in (self.start, *self.through)):
            return None, False
        between = str(step["to"].get("statusCategory", {}).get("key", ""))
        # What was only learned takes no issue through "done" and does not begin it anew.
        return (step, False) if entered or between == "indeterminate" else (None, False)

    def _take(self, step: dict[str, Any]) -> None:
        """Announced before, so that whoever hears of it first knows that it was us."""
        before, announced = self.status, f"{self.issue}:{step['to']['name']}".lower()
        remember(self.jira.connection, STEP, announced)
        self.status = self.jira.take(self.issue, str(step["id"]))
        forget(self.jira.connection, STEP, announced)
        self.ways.learn(self.kind, before, self.status)

    def _stuck(self, offered: Iterable[dict[str, Any]], said: str) -> NoWay:
        known = ", ".join(sorted({str(each["to"]["name"]) for each in offered})) or "nothing"
        was, moved = self.status, not same(self.status, self.start)
        reason = f"Jira's workflow has no way from there to {self.wanted!r}; it offers: {known}."
        if said:
            reason = f"Jira takes it no further to {self.wanted!r}:{said}"
        told = f"{self.issue} is in {was!r}, and {reason}"
        if moved:
            told += f" It began in {self.start!r}" + (", and was put back." if self._put_back() else ".")
        forget(self.jira.connection, WALK, self.mark)
        return NoWay(
            f"{told} Move it by hand, correct the status map, or enter the way in the Jira project.", self.status
        )

    def _put_back(self) -> bool:
        """An issue is not left halfway where Jira lets it return."""
        back = _leading(self.jira.offers(self.issue), self.start)
        if back is None:
            return False
        try:
            self._take(back)
        except DeliveryRefused:
            return False
        return same(self.status, self.start)


def was_announced(jira_connection: Any, issue: str, status: str) -> bool:
    """Whether we are about to take the issue there, or died right after; asked once for each such step."""
    key = f"{issue}:{status}".lower()
    return forget(jira_connection, STEP, key, since=now() - ANNOUNCED_FOR)


def _leading(offered: Iterable[dict[str, Any]], status: str) -> dict[str, Any] | None:
    return next((each for each in offered if same(each["to"]["name"], status)), None)
