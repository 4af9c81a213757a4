"""The developer's commit is pushed, clean, and has everything that the repository's default branch has."""

from __future__ import annotations

from iep.mirrors import Mirror
from iep.policies.base import Outcome, Step, Verdict

NAME = "git ancestry"


class GitAncestry:
    """Asks our own mirror of the remote repository, whatever the developer's machine says."""

    def check(self, step: Step) -> Verdict:
        git = step.git or {}
        head = str(git.get("head", ""))
        if not head:
            return _no("Nothing says which commit this is. Stamp from a git working copy.")
        if git.get("dirty"):
            return _no("The working copy has changes that are not committed. Commit and push them.")
        mirror = Mirror.of(step.stamp.application)
        branch = mirror.default_branch
        if not mirror.has(head):
            return _no(f"Commit {head[:10]} is on no pushed branch. Push it, then try again in a minute.")
        if not mirror.descends(head, branch):
            return _no(f"Commit {head[:10]} lacks what {branch} has by now. Merge or rebase onto {branch}, and push.")
        return Verdict(NAME, Outcome.PASS, f"{head[:10]} is pushed and descends from {branch}.")


def _no(reason: str) -> Verdict:
    return Verdict(NAME, Outcome.BLOCK, reason)
