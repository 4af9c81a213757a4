"""Deployments on GitHub: one for each change of what is rolled out, with its status, once however often it is told."""

from __future__ import annotations

import contextlib
from typing import Any

from django.db import transaction

from core.clock import now
from events.connections.errors import Missing
from events.connections.github import Change, GitHub
from events.connections.marks import DEPLOYMENT
from events.connections.milestones import Milestone, Rollout
from events.models import DomainEvent, OutsideMark
from events.types import DeliveryRefused

# A rollout that begins or succeeds after these is another one.
_ENDED = {"failure", "inactive"}
MOST_REPLACED = 20
REMEDY = "Let the token write deployments, or switch them off in the connection."


def tell_rollout(github: GitHub, fact: DomainEvent, milestone: Milestone, change: Change) -> str:
    """Make the change's deployment where there is none, and say how it stands; DeliveryRefused with the remedy."""
    rollout = milestone.rollout
    assert rollout is not None
    try:
        return _Telling(github, fact, milestone, change, rollout).tell()
    except DeliveryRefused as error:
        raise DeliveryRefused(f"{error} {REMEDY}") from error


class _Telling:
    def __init__(
        self, github: GitHub, fact: DomainEvent, milestone: Milestone, change: Change, rollout: Rollout
    ) -> None:
        self.github, self.fact, self.milestone, self.change, self.rollout = github, fact, milestone, change, rollout
        key = f"{change}:{rollout.thing}"
        with transaction.atomic():  # a place to keep it, before anything is called
            self.mark, _ = OutsideMark.objects.get_or_create(
                connection=github.connection, kind=DEPLOYMENT, key=key[:300]
            )
        self.value: dict[str, Any] = self.mark.value

    def tell(self) -> str:
        if self.value.get("sequence", 0) >= self.fact.sequence:
            return "shows it already"
        if self.rollout.state == "inactive" and not (self.value.get("id") or self.value.get("reserved")):
            return "is no deployment there"
        if not self.value or self._begins_anew():
            self._keep(attempt=self.value.get("attempt", 0) + 1, id=0, state="", told="")
        try:
            number = self._say()
        except Missing:  # someone deleted it
            if self.rollout.state == "inactive":
                return "is no deployment there any more"
            self._keep(attempt=self.value["attempt"] + 1, id=0, told="")
            number = self._say()
        self._keep(state=self.rollout.state, sequence=self.fact.sequence, told="")
        if self.rollout.replaces and self.rollout.state == "success":
            self._retire_others()
        return f"deployment {number} is {self.rollout.state}"

    def _begins_anew(self) -> bool:
        state = self.value.get("state", "")
        return (self.rollout.state == "in_progress" and state == "success") or (
            self.rollout.state in {"in_progress", "success"} and state in _ENDED
        )

    def _say(self) -> int:
        number = int(self.value.get("id", 0)) or self._make()
        said = self.value.get("told") == str(self.fact.id)
        self._keep(told=str(self.fact.id))
        self.github.say_deployed(
            self.change,
            number,
            state=self.rollout.state,
            text=self.milestone.standing,
            url=self.milestone.url,
            said=said,
        )
        return number

    def _make(self) -> int:
        """What was reserved before, and may have been made by a worker that died."""
        made = bool(self.value.get("reserved"))
        self._keep(
            reserved=True, thing=self.rollout.thing, environment=self.rollout.environment,
            repository=self.change.repository,
        )  # fmt: skip
        number = self.github.deploy(
            self.change, self.github.head_of(self.change), environment=self.rollout.environment,
            text=self.milestone.standing, nonce=f"{self.rollout.thing}:{self.value['attempt']}", made=made,
        )  # fmt: skip
        self._keep(id=number, reserved=False)
        return number

    def _retire_others(self) -> None:
        """What ran in that environment before runs there no longer."""
        others = OutsideMark.objects.filter(
            connection=self.github.connection, kind=DEPLOYMENT, value__repository=self.change.repository,
            value__environment=self.rollout.environment, value__state="success", value__sequence__lt=self.fact.sequence,
        ).exclude(value__thing=self.rollout.thing)  # fmt: skip
        for other in others.order_by("pk")[:MOST_REPLACED]:
            text = f"Replaced: {self.milestone.standing}"
            with contextlib.suppress(Missing):  # someone deleted it
                self.github.say_deployed(
                    self.change, int(other.value["id"]), state="inactive", text=text, url=self.milestone.url, said=False
                )
            OutsideMark.objects.filter(pk=other.pk).update(value=other.value | {"state": "inactive"}, made_at=now())

    def _keep(self, **value: Any) -> None:
        self.value = self.value | value
        OutsideMark.objects.filter(pk=self.mark.pk).update(value=self.value, made_at=now())
