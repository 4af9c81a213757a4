"""What is done in the background: mirrors, the import graph, maps that nobody needs any more."""

from __future__ import annotations

import datetime as dt

import structlog
from django.db.models import Exists, OuterRef

from core.clock import now
from core.gitcli import GitFailed
from iep import storage
from iep.imports import read_imports
from iep.mirrors import fetch_mirror
from iep.models import Application, Blob, ImportMap, Release

log = structlog.get_logger(__name__)

BATCH = 500
MAPS_KEPT = dt.timedelta(days=30)


def fetch_mirrors() -> int:
    """Fetch the repository of each application that has one; how many could be fetched."""
    fetched = 0
    for application in Application.objects.exclude(repository=""):
        try:
            fetch_mirror(application)
            fetched += 1
        except GitFailed as error:
            log.warning("mirror.not_fetched", application=application.slug, reason=str(error))
    return fetched


def read_graph() -> int:
    """Read the imports of files that nobody sent along, newest first; how many were read."""
    blobs = list(Blob.objects.filter(imports=None).order_by("-id")[:BATCH])
    for blob in blobs:
        content = storage.read(blob.digest)
        found = read_imports(content or b"")
        blob.imports = [specifier[:600] for specifier in found.all[:500]]
        blob.lazy = [specifier[:600] for specifier in found.lazy[:500]]
    Blob.objects.bulk_update(blobs, ["imports", "lazy"])
    return len(blobs)


def forget_maps() -> int:
    """Delete maps of previews that are older than a month; production's stay. How many there were."""
    released = Release.objects.filter(map_digest=OuterRef("digest"))
    old = ImportMap.objects.filter(~Exists(released), created_at__lt=now() - MAPS_KEPT)
    deleted, _ = old.delete()
    return deleted
