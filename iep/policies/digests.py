"""What was stamped is byte for byte what the pushed commit has at the same paths: released is reviewed."""

from __future__ import annotations

import hashlib

from iep import storage
from iep.mirrors import Mirror
from iep.policies.base import Outcome, Step, Verdict

NAME = "digests match commit"
SHOWN = 5


class DigestsMatchCommit:
    """Compares every file of the ticket with the blob of the commit; for sources that are stamped as they are."""

    def check(self, step: Step) -> Verdict:
        head = str((step.git or {}).get("head", ""))
        mirror = Mirror.of(step.stamp.application)
        if not mirror.has(head):
            return Verdict(
                NAME, Outcome.BLOCK, f"Commit {head[:10] or '(none)'} is on no pushed branch. Push it first."
            )
        folder = step.stamp.application.repository_path.strip("/")
        others = [
            path
            for path, entry in sorted(step.stamp.delta.items())
            if mirror.bytes_at(head, f"{folder}/{path}".lstrip("/")) != _git_id(entry["digest"], len(head))
        ]
        if others:
            more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
            reason = (
                f"{', '.join(others[:SHOWN])}{more} differ from commit {head[:10]}. Commit and push, then stamp again."
            )
            return Verdict(NAME, Outcome.BLOCK, reason)
        return Verdict(NAME, Outcome.PASS, f"All {len(step.stamp.delta)} files are those of {head[:10]}.")


def _git_id(digest: str | None, width: int) -> str | None:
    """The id that git gives to the stored bytes; None for a removed file."""
    if digest is None:
        return None
    content = storage.read(digest) or b""
    kind = hashlib.sha256 if width == 64 else hashlib.sha1
    return kind(b"blob %d\0" % len(content) + content).hexdigest()
