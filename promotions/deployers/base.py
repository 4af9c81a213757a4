"""The small interface every deployer has: start, poll, cancel; and the errors it may raise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Outcome = Literal["running", "succeeded", "failed", "canceled"]


def _not_kept() -> None:
    """Nobody keeps when a launch was sent."""


@dataclass(frozen=True, slots=True)
class Job:
    """One deployment attempt as a deployer sees it.

    `nonce` is unique per attempt: whoever starts the same nonce twice must end with one job. `request` is the request's
    document, `options` the target's, `created_at` a moment before any job of this nonce can exist. With `tries` above 1 an
    earlier start may have succeeded without anybody knowing; `sent_at` is when that was sent, and a deployer whose jobs
    may appear late calls `sending` right before it sends and `not_taken` when the answer was a clear no.
    `cancel_requested` forbids to start anything new.
    """

    nonce: str
    deployment_id: str
    attempt: int
    request: dict[str, Any]
    options: dict[str, Any]
    time_limit: int
    created_at: dt.datetime
    job_id: str = ""
    log_offset: int = 0
    tries: int = 1
    cancel_requested: bool = False
    sent_at: dt.datetime | None = None
    sending: Callable[[], None] = _not_kept
    not_taken: Callable[[], None] = _not_kept


@dataclass(frozen=True, slots=True)
class Progress:
    """How a job stands: its outcome so far, its output since `Job.log_offset`, where that now ends, and what it reports."""

    outcome: Outcome
    log: str = ""
    log_offset: int = 0
    error: str = ""
    result: dict[str, Any] = field(default_factory=dict)


class DeployerError(Exception):
    """The deployer could not answer; nothing is known, so it is asked again later."""


class DeployerUnsure(DeployerError):
    """It was asked to start a job and nobody knows whether it did; only much later may an absent job be believed."""


class DeployerRefused(DeployerError):
    """The deployer will never do this (wrong option, missing template, refused variable); the attempt fails with it."""


class Deployer(Protocol):
    """Brings versions to an environment. Every method may be called again after a crash; each is bounded in time."""

    def start(self, job: Job) -> str:
        """Start the job, or find the one that this nonce started before; its id. Takes less than 50 seconds."""

    def poll(self, job: Job) -> Progress:
        """Where the job stands now, with the output since `job.log_offset`."""

    def cancel(self, job: Job) -> None:
        """Ask it to stop; whether it did is told by `poll`."""
