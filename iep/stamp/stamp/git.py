"""What git says of the sources, and the checks before a promotion."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from stamp.errors import Refused

QUICK, NETWORK = 20, 60  # seconds


class GitFailed(Exception):
    """git is missing, or answered with an error."""


@dataclass(frozen=True)
class Git:
    """The repository around a folder."""

    folder: Path

    def run(self, *words: str, seconds: int = QUICK, stdin: str | None = None) -> str:
        """What git prints, without the last line's end; GitFailed with git's own words."""
        quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        try:
            done = subprocess.run(
                ["git", "-C", str(self.folder), *words], capture_output=True, text=True, input=stdin, check=False,
                timeout=seconds, env=os.environ | quiet, encoding="utf-8", errors="surrogateescape",
            )  # fmt: skip
        except FileNotFoundError:
            raise GitFailed("git is not installed") from None
        except subprocess.TimeoutExpired:
            raise GitFailed(f"git {words[0]} did not answer within {seconds} s") from None
        if done.returncode:
            raise GitFailed((done.stderr or done.stdout).strip() or f"git {words[0]} failed")
        return done.stdout.rstrip("\n")

    def ask(self, *words: str) -> str:
        """The same, empty when git cannot say."""
        try:
            return self.run(*words)
        except GitFailed:
            return ""

    def top(self) -> str:
        return self.ask("rev-parse", "--show-toplevel")

    def head(self) -> str:
        return self.ask("rev-parse", "--verify", "--quiet", "HEAD")

    def branch(self) -> str:
        return self.ask("symbolic-ref", "--short", "--quiet", "HEAD")

    def changed_files(self) -> list[str]:
        return [line for line in self.run("status", "--porcelain").splitlines() if line]

    def remote(self, wanted: str = "") -> str:
        """The remote that counts: the one asked for, the branch's own, origin, or the only one."""
        names = self.ask("remote").splitlines()
        own = self.ask("config", f"branch.{self.branch()}.remote")
        for name in filter(None, (wanted, own, "origin")):
            if name in names:
                return name
        return names[0] if len(names) == 1 and not wanted else ""

    def remote_url(self, remote: str) -> str:
        """Its address, without the name and password that may be in it."""
        url = self.ask("remote", "get-url", remote) if remote else ""
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and "@" in parts.netloc:
            return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return url

    def default_branch(self, remote: str) -> tuple[str, str]:
        """The remote's own default branch and its commit, asked of the remote now."""
        lines = self.run("ls-remote", "--symref", remote, "HEAD", seconds=NETWORK).splitlines()
        name = next((line.split()[1].removeprefix("refs/heads/") for line in lines if line.startswith("ref:")), "")
        commit = next((line.split()[0] for line in lines if not line.startswith("ref:")), "")
        return name, commit

    def descends_from(self, commit: str) -> bool:
        try:
            self.run("merge-base", "--is-ancestor", commit, "HEAD")
        except GitFailed:
            return False
        return True


def describe(folder: Path, remote: str = "") -> dict[str, Any] | None:
    """What a stamp remembers of its origin; None outside git."""
    git = Git(folder)
    head = git.head()
    if not head:
        return None
    return {
        "head": head,
        "branch": git.branch(),
        "dirty": bool(git.ask("status", "--porcelain")),
        "remote": git.remote_url(git.remote(remote)),
    }


def check_promotable(folder: Path, remote: str = "") -> list[dict[str, str]]:
    """The verdicts that let a promotion go on; Refused when the tree is not clean or HEAD is behind the remote's default."""
    git = Git(folder)
    if not git.top():
        raise Refused(f"{folder} is in no git repository.", hint="Run it in the checkout that the ticket was made in.")
    if not git.head():
        raise Refused("This repository has no commit yet.", hint="Commit and push, then promote.")
    verdicts = [_is_clean(git), *_descends(git, remote)]
    found = [{"policy": policy, "outcome": "pass", "reason": reason} for policy, reason in verdicts]
    return [*found, _is_pushed(git)]


def _is_pushed(git: Git) -> dict[str, str]:
    """Only a warning: whether the service wants to see the commit is for the application's policies to say."""
    if git.ask("branch", "--remotes", "--contains", "HEAD"):
        return {"policy": "git_pushed", "outcome": "pass", "reason": "HEAD is pushed."}
    reason = "HEAD is not pushed yet: nobody else can see the sources of what goes on."
    return {"policy": "git_pushed", "outcome": "warn", "reason": reason}


def _is_clean(git: Git) -> tuple[str, str]:
    changed = git.changed_files()
    if changed:
        more = [f"and {len(changed) - 8} more"] if len(changed) > 8 else []
        raise Refused(
            "The working tree is not clean.", code="not_clean", lines=[*changed[:8], *more],
            hint="Commit these changes (and stamp and push them), or stash them.",
        )  # fmt: skip
    return "git_clean", "The working tree is clean."


def _descends(git: Git, wanted: str) -> list[tuple[str, str]]:
    remote = git.remote(wanted)
    if not remote:
        raise Refused("This repository has no remote.", code="no_remote", hint="Add it: git remote add origin URL")
    try:
        name, commit = git.default_branch(remote)
        if not (name and commit):
            raise GitFailed("it names no default branch")
        git.run("fetch", "--quiet", "--no-tags", remote, f"refs/heads/{name}", seconds=NETWORK)
    except GitFailed as error:
        raise Refused(
            f"The remote “{remote}” could not be asked: {error}", code="remote_unreachable",
            hint="Nothing was promoted. Try again when it answers.",
        ) from None  # fmt: skip
    if git.descends_from(commit):
        return [("git_ancestry", f"HEAD descends from {remote}/{name} ({commit[:10]}).")]
    shallow = git.ask("rev-parse", "--is-shallow-repository") == "true"
    raise Refused(
        f"HEAD does not descend from {remote}/{name} ({commit[:10]}).", code="not_descended",
        hint="git fetch --unshallow" if shallow else f"git rebase {remote}/{name} (or merge it), stamp, push, promote.",
    )  # fmt: skip
