"""Bare mirrors of applications' git repositories: fetched in a task, asked by policies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from core.gitcli import GitFailed, check_address, run_git
from iep.models import Application

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
LIMIT_SECONDS = 8
FETCH_SECONDS = 300


def folder_of(application: Application) -> Path:
    return Path(settings.STATE_DIR) / "mirrors" / f"{application.pk}.git"


def fetch_mirror(application: Application) -> None:
    """Bring the mirror to what the repository has now, its default branch included. GitFailed."""
    address = check_address(application.repository)
    folder = folder_of(application)
    if not (folder / "HEAD").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        run_git(folder, "init", "--bare", "--quiet", str(folder))
    run_git(folder, "fetch", "--quiet", "--prune", address, "+refs/heads/*:refs/heads/*", limit=FETCH_SECONDS)
    told = run_git(folder, "ls-remote", "--symref", address, "HEAD")
    if match := re.match(r"ref: (refs/heads/\S+)\tHEAD", told):
        run_git(folder, "symbolic-ref", "HEAD", match[1])


@dataclass(frozen=True, slots=True)
class Mirror:
    """What the policies ask of a repository; GitFailed when it was never fetched."""

    folder: Path

    @classmethod
    def of(cls, application: Application) -> Mirror:
        folder = folder_of(application)
        if not (folder / "HEAD").exists():
            raise GitFailed(f"The repository of {application.slug} was not fetched yet. Try again in a minute.")
        return cls(folder)

    def git(self, *words: str) -> str:
        return run_git(self.folder, *words, limit=LIMIT_SECONDS)

    @property
    def default_branch(self) -> str:
        """Whatever the remote says that it is; no name is taken for granted."""
        return self.git("symbolic-ref", "--short", "HEAD").strip()

    def has(self, commit: str) -> bool:
        """Whether a pushed branch contains the commit."""
        if not _COMMIT.fullmatch(commit):
            return False
        try:
            return bool(self.git("for-each-ref", "--count=1", "--contains", commit, "refs/heads").strip())
        except GitFailed:
            return False

    def descends(self, commit: str, branch: str) -> bool:
        """Whether everything on the branch is in the commit's history."""
        try:
            self.git("merge-base", "--is-ancestor", f"refs/heads/{branch}", commit)
        except GitFailed:
            return False
        return True

    def bytes_at(self, commit: str, path: str) -> str | None:
        """The git object id of a file at the commit; None where there is none."""
        listed = self.git("ls-tree", "-z", commit, "--", path).rstrip("\0")
        parts = listed.split(None, 3)
        return parts[2] if len(parts) == 4 and parts[1] == "blob" else None
