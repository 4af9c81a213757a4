"""Carries the audit repository to its remote: never by force, and never over a history that somebody rewrote."""

from __future__ import annotations

import datetime as dt
import random
import re

import pygit2
import structlog
from django.conf import settings
from django.db import transaction

from accounts.roles import Capability
from core.clock import now
from core.errors import NotFound
from core.gitcli import GitFailed, check_address, run_git, without_secrets
from events.outbox import only_one
from events.services import publish
from events.types import Audience, Subject
from promotions.audit.replay import ForeignCommits, foreign_commits, note_commits, replay_onto
from promotions.audit.repository import MAIN, AuditRepository, RepositoryDamaged
from promotions.models import AuditRemote
from promotions.validation import MIN_REASON, clean_text

log = structlog.get_logger(__name__)

LOCK = "audit push"
THEIRS = "refs/stagepass/remote"
LOOK_EVERY = dt.timedelta(minutes=2)
FIRST_RETRY_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 600.0
ROUNDS = 5
_MOVED = ("stale info", "fetch first", "non-fast-forward", "cannot lock ref", "failed to update ref")


class RemoteRewritten(Exception):
    """The remote's main no longer contains what was pushed to it."""

    def __init__(self, theirs: str) -> None:
        super().__init__(theirs)
        self.theirs = theirs


def push_audit() -> str:
    """Push what the remote lacks, if it is time; says in a word how that ended. One runs at a time, others leave."""
    if not settings.AUDIT_REMOTE:
        return "no remote"
    with only_one(LOCK) as mine:
        if not mine:
            return "busy"
        remote = find_remote()
        if remote.next_at > now():
            return "waiting"
        return _try(remote)


def find_remote() -> AuditRemote:
    """What is known of the configured remote, not saved if that is nothing; another address starts anew."""
    address = without_secrets(settings.AUDIT_REMOTE)[:500]
    return AuditRemote.objects.filter(address=address).first() or AuditRemote(address=address)


def _try(remote: AuditRemote) -> str:
    repository = AuditRepository.open()
    try:
        pushed = False
        while _has_work(repository, remote):
            _synchronise(repository, remote)
            pushed = True
    except RemoteRewritten as rewritten:
        _tell_rewritten(remote, rewritten.theirs)
        return "rewritten"
    except (GitFailed, RepositoryDamaged) as error:
        _postpone(remote, str(error))
        return "failed"
    return "pushed" if pushed else "nothing to push"


def _has_work(repository: AuditRepository, remote: AuditRemote) -> bool:
    head = repository.head()
    if head is None:
        return False
    looked = remote.checked_at is not None and remote.checked_at > now() - LOOK_EVERY
    return str(head.id) != remote.pushed_commit or remote.rewritten_at is not None or not looked


def _synchronise(repository: AuditRepository, remote: AuditRemote) -> None:
    """One push, after taking over what others pushed; begun again when they are faster."""
    address = check_address(settings.AUDIT_REMOTE)
    for _ in range(ROUNDS):
        theirs = _fetch(repository, address)
        _check_not_rewritten(repository, remote, theirs)
        head = _with_theirs(repository, remote, theirs)
        note_commits(repository, head, _since(repository, remote))
        if theirs is None or theirs != head.id:
            lease = f"--force-with-lease={MAIN}:{theirs or ''}"
            try:
                run_git(
                    repository.path, "push", "--porcelain", "--no-verify", lease, "--", address, f"{head.id}:{MAIN}"
                )
            except GitFailed as error:
                if any(word in str(error) for word in _MOVED):
                    continue
                raise
        _succeed(remote, str(head.id))
        return
    raise GitFailed(f"The remote's main moved {ROUNDS} times while we pushed; trying again later.")


def _fetch(repository: AuditRepository, address: str) -> pygit2.Oid | None:
    """The remote's main as it is now, with its commits; None when it has none."""
    answer = [line.split() for line in run_git(repository.path, "ls-remote", "--", address, MAIN).splitlines()]
    heads = [commit for commit, name in answer if name == MAIN]
    if not heads:
        return None
    if pygit2.Oid(hex=heads[0]) in repository.git:
        return pygit2.Oid(hex=heads[0])
    quietly = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
    run_git(repository.path, *quietly, "--", address, f"+{MAIN}:{THEIRS}")
    return repository.git.references[THEIRS].peel(pygit2.Commit).id


def _check_not_rewritten(repository: AuditRepository, remote: AuditRemote, theirs: pygit2.Oid | None) -> None:
    """RemoteRewritten unless the remote still has what we pushed last."""
    if not remote.pushed_commit:
        return
    known = pygit2.Oid(hex=remote.pushed_commit)
    if theirs is None or not (theirs == known or repository.git.descendant_of(theirs, known)):
        raise RemoteRewritten(str(theirs or ""))


def _with_theirs(repository: AuditRepository, remote: AuditRemote, theirs: pygit2.Oid | None) -> pygit2.Commit:
    """Our main with everything of theirs in it: ours as it is, or our commits written again on top of theirs."""
    with repository.writing():
        head = repository.head()
        assert head is not None
        if theirs is None or theirs == head.id or repository.git.descendant_of(head.id, theirs):
            return head
        foreign = foreign_commits(repository, theirs, head.id)
        with transaction.atomic():
            moved = replay_onto(repository, theirs, head)
            note_commits(repository, moved, theirs)
            _tell_foreign(remote, foreign)
            # Last, so that database and repository change together or not at all.
            if not repository.swap(head, moved.id):
                raise GitFailed("Our own main moved while we took over the remote's commits; trying again later.")
        log.info("audit.replayed", onto=str(theirs), head=str(moved.id))
        return moved


def _since(repository: AuditRepository, remote: AuditRemote) -> pygit2.Oid | None:
    return pygit2.Oid(hex=remote.pushed_commit) if remote.pushed_commit else None


@transaction.atomic
def _succeed(remote: AuditRemote, head: str) -> None:
    restored = remote.rewritten_at is not None
    remote.pushed_commit, remote.pushed_at, remote.checked_at = head, now(), now()
    remote.attempts, remote.last_error, remote.next_at = 0, "", now()
    remote.rewritten_at, remote.rewritten_to = None, ""
    remote.save()
    if restored:
        _publish(remote, "audit.remote_restored", {"head": head})


def _postpone(remote: AuditRemote, reason: str) -> None:
    remote.attempts += 1
    wait = min(FIRST_RETRY_SECONDS * 2 ** min(remote.attempts - 1, 10), LONGEST_WAIT_SECONDS) * random.uniform(0.8, 1.2)
    remote.next_at, remote.last_error = now() + dt.timedelta(seconds=wait), reason
    remote.save()
    log.warning(
        "audit.push_failed", remote=remote.address, attempts=remote.attempts, seconds=round(wait), reason=reason
    )


def _tell_rewritten(remote: AuditRemote, theirs: str) -> None:
    """Loudly, and once for each history that the remote comes up with."""
    reason = (
        f"The main branch of {remote.address} no longer contains {remote.pushed_commit[:12]}, which was pushed to it: "
        "its history was rewritten. Nothing is pushed there until it has that commit again. Find out who did it, then "
        "push the audit repository's main over it by hand, or set GIT_REMOTE to another repository."
    )
    news = remote.rewritten_at is None or remote.rewritten_to != theirs
    with transaction.atomic():
        remote.rewritten_at, remote.rewritten_to = remote.rewritten_at or now(), theirs
        remote.last_error, remote.next_at, remote.checked_at = reason, now() + LOOK_EVERY, now()
        remote.save()
        if news:
            _publish(remote, "audit.remote_rewritten", {"pushed": remote.pushed_commit, "found": theirs})
    log.error("audit.remote_rewritten", remote=remote.address, pushed=remote.pushed_commit, found=theirs)


def _tell_foreign(remote: AuditRemote, foreign: ForeignCommits) -> None:
    """Somebody else wrote to the files of requests: the database stays right, people should look."""
    if foreign.paths:
        _publish(remote, "audit.foreign_change", {"commits": foreign.commits[:100], "paths": foreign.paths[:100]})


def _publish(remote: AuditRemote, kind: str, data: dict[str, object]) -> None:
    publish(
        type=kind,
        subject=Subject("audit", "remote", remote.address),
        tenant=None,
        by=None,
        data=data,
        audience=Audience(Capability.VIEW_PROMOTIONS),
    )


@transaction.atomic
def accept_foreign_commit(*, commit: str, reason: str, login: str = "") -> None:
    """A person has looked at somebody else's commit and it may stay; leaves `audit.foreign_change_accepted`.

    InvalidInput for a short reason, NotFound for a commit that the repository does not have.
    """
    reason = clean_text("reason", reason, minimum=MIN_REASON, what="reason")
    repository = AuditRepository.open().git
    if not re.fullmatch(r"[0-9a-f]{40}", commit) or pygit2.Oid(hex=commit) not in repository:
        raise NotFound(f"The audit repository has no commit {commit[:40]!r}; give its full id.")
    publish(
        type="audit.foreign_change_accepted",
        subject=Subject("audit", "remote", "Audit repository"),
        tenant=None,
        by=None,
        data={"commits": [commit], "reason": reason, "login": login[:100]},
        audience=Audience(Capability.VIEW_PROMOTIONS),
    )
