"""The bare repository: trees written level by level, one commit per step, compare-and-swap on main."""

from __future__ import annotations

import ctypes
import datetime as dt
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pygit2
import structlog
from django.conf import settings
from pygit2.enums import FileMode, Option

from promotions.audit.commits import Entry, Person, committer, parse_trailers
from promotions.audit.signing import remember_key, sign

log = structlog.get_logger(__name__)

MAIN = "refs/heads/main"
LOCK_WAIT_SECONDS = 10
# git holds a ref's lock for milliseconds; one this old belongs to a process that died.
STALE_LOCK_SECONDS = 5
SWAP_TRIES = 20

# Linux has it, Python does not offer it; elsewhere each file is waited for.
sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
if sync_file_range is not None:
    sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
WRITE_AND_WAIT = 1 | 2 | 4


class RepositoryBusy(Exception):
    """Somebody else holds the repository; trying again later helps."""


class RepositoryDamaged(Exception):
    """Something in the repository is not what the audit trail wrote."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where a step is: its commit and its file's content."""

    commit: str
    blob: str


def start_writing(path: Path) -> None:
    """Send a file's content to the disk without waiting for the file system's journal."""
    handle = os.open(path, os.O_RDONLY)
    try:
        if sync_file_range is None or sync_file_range(handle, 0, 0, WRITE_AND_WAIT) != 0:
            os.fsync(handle)
    finally:
        os.close(handle)


def flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def signature(person: Person, at: dt.datetime) -> pygit2.Signature:
    return pygit2.Signature(person.name, person.email, int(at.timestamp()), 0)


class AuditRepository:
    """The audit trail on disk; opened anew for each piece of work, so that no process works on an old view."""

    def __init__(self, path: Path, git: pygit2.Repository) -> None:
        self.path = path
        self.git = git
        self._unflushed: list[pygit2.Oid] = []

    @classmethod
    def open(cls, path: Path | None = None) -> AuditRepository:
        """The repository of AUDIT_REPOSITORY, made on first use."""
        path = Path(path or settings.AUDIT_REPOSITORY)
        try:
            git = pygit2.Repository(str(path))
        except pygit2.GitError:  # not there, or its making was interrupted
            path.parent.mkdir(parents=True, exist_ok=True)
            git = pygit2.init_repository(str(path), bare=True, initial_head="main")
            git.config["receive.denyNonFastForwards"] = True
            git.config["receive.denyDeletes"] = True
            git.config["gc.auto"] = 0
        return cls(path, git)

    def head(self) -> pygit2.Commit | None:
        """The newest commit; None in an empty repository."""
        try:
            target = self.git.references[MAIN].target
        except KeyError:
            return None
        commit = self.git[target]
        assert isinstance(commit, pygit2.Commit)
        return commit

    def record(self, entry: Entry, *, done_until: Callable[[], str | None] = lambda: None) -> Recorded:
        """Commit the entry on top of main, or find the commit of its fact that is there already.

        `done_until` names a commit up to which everything is known to be older facts (after a rebuild).
        RepositoryBusy when others hold the lock for too long.
        """
        with self.writing():
            for _ in range(SWAP_TRIES):
                head = self.head()
                found = self._find(entry, head, done_until)
                if found:
                    return found
                blob = self._written(self.git.create_blob(entry.content))
                commit = self.commit(
                    entry.path, blob, by=signature(entry.author, entry.at), message=entry.message, parent=head
                )
                if self.swap(head, commit):
                    return Recorded(str(commit), str(blob))
        raise RepositoryBusy(f"{MAIN} of {self.path} moved {SWAP_TRIES} times while writing one commit.")

    def _find(self, entry: Entry, head: pygit2.Commit | None, done_until: Callable[[], str | None]) -> Recorded | None:
        """The fact's commit, if a crash or another writer left it among the newest; facts are recorded in order."""
        stop: str | None = None
        commit = head
        asked = False
        while commit is not None and str(commit.id) != stop:
            trailers = parse_trailers(commit.message)
            if trailers.get("Fact-Id") == entry.fact_id:
                return Recorded(str(commit.id), str(commit.tree[entry.path].id))
            if trailers and int(trailers["Fact-Sequence"]) < entry.fact_sequence:
                return None
            if not asked:
                stop, asked = done_until(), True
                if str(commit.id) == stop:
                    return None
            commit = commit.parents[0] if commit.parents else None
        return None

    def commit(
        self, path: str, blob: pygit2.Oid, *, by: pygit2.Signature, message: str, parent: pygit2.Commit | None
    ) -> pygit2.Oid:
        """A commit object that puts `blob` at `path` on top of `parent`; no branch moves."""
        tree = self._tree_with(parent.tree if parent else None, PurePosixPath(path).parts, blob)
        service = committer()
        committed_by = pygit2.Signature(service.name, service.email, by.time, 0)
        parents: list[str | pygit2.Oid] = [parent.id] if parent else []
        if not settings.AUDIT_SIGNING_KEY:
            return self._written(self.git.create_commit(None, by, committed_by, message, tree, parents))
        remember_key(self.path, str(settings.AUDIT_SIGNING_KEY))
        payload = str(self.git.create_commit_string(by, committed_by, message, tree, parents))
        return self._written(self.git.create_commit_with_signature(payload, sign(payload), "gpgsig"))

    def _tree_with(self, tree: pygit2.Tree | None, parts: tuple[str, ...], blob: pygit2.Oid) -> pygit2.Oid:
        builder = self.git.TreeBuilder(tree) if tree is not None else self.git.TreeBuilder()
        name, rest = parts[0], parts[1:]
        if rest:
            below = tree[name] if tree is not None and name in tree else None
            if below is not None and not isinstance(below, pygit2.Tree):
                raise RepositoryDamaged(f"{name} is a file where the audit trail needs a folder.")
            builder.insert(name, self._tree_with(below, rest, blob), FileMode.TREE)
        else:
            builder.insert(name, blob, FileMode.BLOB)
        return self._written(builder.write())

    def _written(self, oid: pygit2.Oid) -> pygit2.Oid:
        self._unflushed.append(oid)
        return oid

    def _flush(self) -> None:
        """New objects are on the disk before main leads to them: what is on record survives a power cut.

        As git's own batch mode: the contents first, then one wait for the journal, which has the names of all of them.
        """
        objects = self.path / "objects"
        files = [objects / oid[:2] / oid[2:] for oid in map(str, self._unflushed)]
        loose = [file for file in files if file.exists()]
        for file in loose:
            start_writing(file)
        for file in loose[-1:]:
            flush(file)
            flush(file.parent)
        self._unflushed.clear()

    def swap(self, before: pygit2.Commit | None, after: pygit2.Oid) -> bool:
        """Move main from exactly `before` to `after`; False when it is elsewhere by now."""
        self._flush()
        self._remove_stale_lock()
        pygit2.option(Option.ENABLE_FSYNC_GITDIR, True)
        try:
            if before is None:
                self.git.references.create(MAIN, after)
                return True
            reference = self.git.references[MAIN]
            if reference.target != before.id:
                return False
            # libgit2 compares with the value that `reference` was read with, under the ref's lock.
            reference.set_target(after)
        except (pygit2.AlreadyExistsError, KeyError):
            return False
        except pygit2.GitError as error:
            if "old reference value does not match" in str(error):
                return False
            raise
        except OSError as error:
            if "failed to lock file" not in str(error):
                raise
            time.sleep(0.05)
            return False
        finally:
            pygit2.option(Option.ENABLE_FSYNC_GITDIR, False)
        return True

    def _remove_stale_lock(self) -> None:
        lock = self.path / f"{MAIN}.lock"
        try:
            age = time.time() - lock.stat().st_mtime
        except FileNotFoundError:
            return
        if age > STALE_LOCK_SECONDS:
            lock.unlink(missing_ok=True)
            log.warning("audit.stale_lock_removed", lock=str(lock), age_seconds=round(age))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Our writers take turns; the kernel frees the lock of one that dies. RepositoryBusy after ten seconds."""
        with (self.path / "stagepass.lock").open("w") as file:
            deadline = time.monotonic() + LOCK_WAIT_SECONDS
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise RepositoryBusy(f"{self.path} has been locked by another process for long.") from None
                    time.sleep(0.01)
            yield
