"""Reads of applications and stamps; what a person may not see does not exist."""

from iep.selectors.applications import (
    find_application,
    find_signing_key,
    find_stamp,
    find_with_ticket,
    last_judgement,
    list_applications,
    list_releases,
    list_signed_manifests,
    list_signing_keys,
    list_stamps,
    open_counts,
    stamp_history,
)

__all__ = [
    "find_application",
    "find_signing_key",
    "find_stamp",
    "find_with_ticket",
    "last_judgement",
    "list_applications",
    "list_releases",
    "list_signed_manifests",
    "list_signing_keys",
    "list_stamps",
    "open_counts",
    "stamp_history",
]
