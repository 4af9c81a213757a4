"""The deployer that releases a ticket's modules: production's import map moves to its next revision."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError

from core.errors import Conflict, DomainError, Unavailable
from iep.models import Release, Stamp
from iep.services import release_stamp, take_back_release
from promotions.deployers.base import DeployerError, DeployerRefused, Job, Progress


class ImportMapDeployer:
    """Releases exactly the approved revision, in one transaction; the attempt's nonce makes it happen once."""

    def start(self, job: Job) -> str:
        if job.cancel_requested and not Release.objects.filter(nonce=job.nonce).exists():
            raise DeployerRefused("Canceled before it was released.")
        try:
            release = _release(job)
        except (Unavailable, OperationalError) as error:
            raise DeployerError(f"The database is busy: {error}") from error
        except Conflict as refusal:
            raise DeployerRefused(f"{refusal.message} Then ask again.") from refusal
        except DomainError as refusal:
            raise DeployerRefused(refusal.message) from refusal
        return f"r{release.revision}"

    def poll(self, job: Job) -> Progress:
        release = Release.objects.select_related("application").filter(nonce=job.nonce).first()
        if release is None:
            return Progress("failed", error="There is no release of this attempt.")
        count = release.changes.count()
        paths = "1 path" if count == 1 else f"{count} paths"
        text = f"{release.application.slug} r{release.revision}: {paths} changed.\n"
        log = text.encode()[job.log_offset :].decode(errors="replace")
        return Progress("succeeded", log, len(text.encode()), result={"revision": release.revision})

    def cancel(self, job: Job) -> None:
        """A release is done in one step; taking it back is another request or `stamp --revert`."""


def _release(job: Job) -> Release:
    target, metadata = job.request["spec"]["target"], job.request["metadata"]
    slug, _, key = target["name"].partition("/")
    stamp = (
        Stamp.objects.select_related("application__tenant", "ticket")
        .filter(application__slug=slug, application__tenant__slug=metadata["tenant"], ticket__key=key)
        .first()
    )
    if stamp is None:
        raise DeployerRefused(f"There is no stamp {target['name']}.")
    number = metadata["id"]
    if job.request["spec"]["request"].get("rollbackOf"):
        return take_back_release(stamp=stamp, by=None, request=number, nonce=job.nonce)
    revision = target["version"].rpartition(".")[2]
    if not revision.isdigit():
        raise DeployerRefused(f"{target['version']} names no revision of {key}.")
    return release_stamp(
        stamp=stamp, by=None, revision=int(revision), request=number, approvals=_approvals(job.request),
        reason=job.request["spec"]["request"]["justification"], nonce=job.nonce,
    )  # fmt: skip


def _approvals(request: dict[str, Any]) -> list[dict[str, Any]]:
    status = request.get("status", {})
    return [{"by": status.get("approvedBy"), "at": status.get("approvedAt")}]
