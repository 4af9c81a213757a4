"""The deployer that has nothing to do: for things that are deployed by other means."""

from __future__ import annotations

from promotions.deployers.base import Job, Progress


class NullDeployer:
    """Succeeds at once and says so."""

    def start(self, job: Job) -> str:
        return f"none-{job.nonce}"

    def poll(self, job: Job) -> Progress:
        return Progress("succeeded", log="Nothing to do for this target.\n")

    def cancel(self, job: Job) -> None:
        return None
