"""The verbs of import maps; each leaves its facts in the transaction of what it does."""

from iep.services.applications import ensure_application, place_of, publish_files, ticket_for
from iep.services.releases import publish_baseline, release_stamp, take_back_release
from iep.services.reminders import remind_of_stale_stamps
from iep.services.signing import add_signing_key, revoke_signing_key, take_manifest
from iep.services.stages import (
    approve_stamp,
    close_stamp,
    forget_sign_off,
    promote_stamp,
    rebase_stamp,
    reopen_stamp,
    revert_stamp,
)
from iep.services.stamps import stamp_ticket, store_blob

__all__ = [
    "add_signing_key",
    "approve_stamp",
    "close_stamp",
    "ensure_application",
    "forget_sign_off",
    "place_of",
    "promote_stamp",
    "publish_baseline",
    "publish_files",
    "rebase_stamp",
    "release_stamp",
    "remind_of_stale_stamps",
    "reopen_stamp",
    "revert_stamp",
    "revoke_signing_key",
    "stamp_ticket",
    "store_blob",
    "take_back_release",
    "take_manifest",
    "ticket_for",
]
