"""May this service be deployed to that environment now, and if not, why not: what every check says, the gravest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from django.conf import settings
from django.db.models import Q

from accounts.models import Tenant, User
from core.clock import now
from core.plugins import load_callable
from events.chain.kinds import environment_named
from events.chain.queries import open_incidents
from events.models import Freeze, Lock
from events.tracker.vocabulary import Environment


class Answer(StrEnum):
    """The words of a deployment gate that pipelines know."""

    ALLOWED = "allowed"
    AWAITING = "awaiting"
    PREVENTED = "prevented"


@dataclass(frozen=True, slots=True)
class Question:
    """Who wants to deploy what to where; the environment by its one name, the version if it is known."""

    user: User
    tenant: Tenant
    service: str
    environment: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Objection:
    """What stands against it: a code for programs, a sentence that says what to do, and until when, if that is known."""

    answer: Answer
    code: str
    message: str
    until: dt.datetime | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Check(Protocol):
    """A dotted path of the DEPLOYMENT_CHECKS setting: what it has against the deployment; nothing if nothing."""

    def __call__(self, question: Question) -> Iterable[Objection]: ...


@dataclass(frozen=True, slots=True)
class Clearance:
    """The answer and everything that stands against it."""

    question: Question
    answer: Answer
    objections: list[Objection]
    at: dt.datetime


def may_deploy(user: User, tenant: Tenant, service: str, environment: str, version: str = "") -> Clearance:
    """Ask every check; prevented if one prevents it, else awaiting if one waits, else allowed."""
    question = Question(user, tenant, service, environment_named(environment), version)
    grave = [Answer.PREVENTED, Answer.AWAITING, Answer.ALLOWED]
    objections = [one for path in settings.DEPLOYMENT_CHECKS for one in load_callable(path)(question)]
    objections.sort(key=lambda objection: grave.index(objection.answer))
    return Clearance(question, objections[0].answer if objections else Answer.ALLOWED, objections, now())


def check_locks(question: Question) -> Iterable[Objection]:
    """A lock on the service, there or everywhere."""
    names = {question.environment, *_tracker_names(question.environment)}
    spelled = Q(environment="")
    for name in names:
        spelled |= Q(environment__iexact=name)
    held = Lock.objects.held().filter(spelled, tenant=question.tenant, service=question.service)
    for lock in held.filter(Q(resource__iexact="deployment") | Q(resource=""))[:10]:
        where = f" in {lock.environment}" if lock.environment else ""
        yield Objection(
            Answer.PREVENTED, "locked",
            f"{lock.service} is locked{where} by {lock.who}. Ask them, or wait until the lock is released.",
            lock.expires_at, {"lock": str(lock.pk), "who": lock.who},
        )  # fmt: skip


def _tracker_names(environment: str) -> set[str]:
    return {word.name for word in Environment if environment_named(word.name) == environment}


def check_freezes(question: Question) -> Iterable[Objection]:
    """A freeze that is in force."""
    for freeze in freezes_in_force(question.tenant, question.service, question.environment):
        yield Objection(
            Answer.PREVENTED, "frozen",
            f"{freeze.what} is frozen until {freeze.ends_at:%Y-%m-%d %H:%M} UTC: {freeze.reason}",
            freeze.ends_at, {"freeze": freeze.pk},
        )  # fmt: skip


def freezes_in_force(tenant: Tenant, service: str, environment: str, *, at: dt.datetime | None = None) -> list[Freeze]:
    """The freezes that hold the service up there at that moment (default: now)."""
    moment = at or now()
    return list(
        Freeze.objects.filter(
            tenant=tenant, starts_at__lte=moment, ends_at__gt=moment, lifted_at=None, service__in=["", service],
            environment__in=["", environment_named(environment)],
        )[:10]
    )  # fmt: skip


def check_incidents(question: Question) -> Iterable[Objection]:
    """An incident of the service that is still open there: deploying something else may hide or worsen it."""
    for incident in open_incidents(question.tenant, question.service, question.environment):
        yield Objection(
            Answer.PREVENTED, "incident_open",
            f"{incident.label or incident.key} is still open. Resolve it first, or deploy its remedy related to it.",
            None, {"incident": incident.key},
        )  # fmt: skip
