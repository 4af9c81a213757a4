"""Refusals of tickets that have a status or details of their own."""

from __future__ import annotations

from core.errors import Conflict


class VersionConflict(Conflict):
    """The ticket changed since the caller read it."""

    status = 412
    code = "version_conflict"


class LeaseLost(Conflict):
    """The caller no longer holds the task it speaks of."""

    code = "lease_lost"
