"""What is known of a Jira project's workflow: the ways that somebody entered, and the steps that issues took."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable

from core.clock import now
from tickets.models import JiraProject, JiraStep
from tickets.models.outside import read_ways

MOST_STATUSES = 6


class KnownWays:
    """The ways of one Jira project (events/connections/jira_moves.py)."""

    def __init__(self, project: JiraProject) -> None:
        self.project = project

    def find(self, kind: str, start: str, goal: str) -> tuple[list[str], bool]:
        entered = [step for way in read_ways(self.project.ways) for step in itertools.pairwise(way)]
        if path := shortest(entered, start, goal):
            return path, True
        learned = JiraStep.objects.filter(jira=self.project, kind=kind[:60]).order_by("pk")
        return shortest([*entered, *learned.values_list("before", "after")], start, goal), False

    def learn(self, kind: str, start: str, end: str) -> None:
        learn_step(self.project, kind, start, end)


def learn_step(project: JiraProject, kind: str, start: str, end: str) -> None:
    """Remember that an issue of this type got from one status to the other in one step."""
    if start and end and start.casefold() != end.casefold():
        JiraStep.objects.update_or_create(
            jira=project, kind=kind[:60], before=start[:100], after=end[:100], defaults={"seen_at": now()}
        )


def shortest(steps: Iterable[tuple[str, str]], start: str, goal: str) -> list[str]:
    """The fewest statuses after `start` that lead to `goal`, which is the last; empty: no way, or one too long."""
    following: dict[str, list[str]] = {}
    for before, after in steps:
        following.setdefault(before.casefold(), []).append(after)
    paths: deque[list[str]] = deque([[start]])
    seen = {start.casefold()}
    while paths:
        path = paths.popleft()
        if path[-1].casefold() == goal.casefold():
            return path[1:]
        for after in following.get(path[-1].casefold(), []) if len(path) <= MOST_STATUSES else []:
            if after.casefold() not in seen:
                seen.add(after.casefold())
                paths.append([*path, after])
    return []
