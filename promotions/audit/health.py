"""How the audit trail fares, for /readyz: writable, up to date, pushed, and not rewritten elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pygit2
from django.conf import settings
from django.db.models import Min

from core.clock import now
from events.models import Delivery
from promotions.audit.push import find_remote
from promotions.audit.replay import CHANNEL, commits_between
from promotions.audit.repository import AuditRepository

RECORDING_IS_LATE = 60
PUSHING_IS_LATE = 600


def check_audit() -> dict[str, Any]:
    """Degraded when steps wait long for their commit or commits for the remote, or when its history was rewritten."""
    writable = _is_writable(Path(settings.AUDIT_REPOSITORY))
    waiting = Delivery.objects.filter(channel=CHANNEL).unfinished().aggregate(since=Min("created_at"))["since"]
    age = round((now() - waiting).total_seconds(), 1) if waiting else 0.0
    push = _push_state() if settings.AUDIT_REMOTE and writable else {"pushed": None}
    fine = writable and age < RECORDING_IS_LATE and push.pop("fine", True)
    return {"ok": fine, "writable": writable, "oldest_unrecorded_seconds": age, **push}


def _is_writable(path: Path) -> bool:
    """The repository, or where it will be made."""
    place = path if path.exists() else next(parent for parent in path.parents if parent.exists())
    return os.access(place, os.W_OK | os.X_OK) and (not path.exists() or os.access(path / "objects", os.W_OK))


def _push_state() -> dict[str, Any]:
    """No addresses and no words of git here: this page is open to all."""
    remote, repository = find_remote(), AuditRepository.open()
    head = repository.head()
    rewritten = remote.rewritten_at is not None
    lag = 0.0
    if head is not None and str(head.id) != remote.pushed_commit:
        known = pygit2.Oid(hex=remote.pushed_commit) if remote.pushed_commit else None
        unpushed = commits_between(repository, known if known and known in repository.git else None, head.id)
        lag = round(now().timestamp() - unpushed[0].commit_time, 1) if unpushed else 0.0
    return {
        "fine": not rewritten and lag < PUSHING_IS_LATE,
        "pushed": lag == 0.0,
        "push_lag_seconds": lag,
        "push_failures": remote.attempts,
        "remote_rewritten": rewritten,
    }
