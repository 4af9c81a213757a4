"""Compares database rows, fact chain and repository, and tells every place where they differ."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pygit2
from django.conf import settings
from django.db import connection, transaction

from core.canonical import digest_of
from events.channels import channels
from events.models import Delivery, DeliveryState, DomainEvent
from events.outbox import only_one
from events.selectors import find_chain_break
from promotions.audit.commits import FOLDER, parse_trailers, path_of, trailers_of
from promotions.audit.document import BadDocument, from_yaml, to_yaml
from promotions.audit.push import LOCK, find_remote
from promotions.audit.replay import CHANNEL, changed_paths, commits_between
from promotions.audit.repository import AuditRepository, RepositoryBusy
from promotions.audit.rows import compare_rows
from promotions.audit.signing import SignatureCheck

CHUNK = 500
FOREIGN_ACCEPTED = "audit.foreign_change_accepted"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two records disagree."""

    kind: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.place}: {self.text}"


@dataclass(slots=True)
class Audit:
    """One walk through everything; `differences()` yields as it goes, the counts are right once it is through."""

    repository: AuditRepository = field(default_factory=AuditRepository.open)
    requests: int = 0
    facts: int = 0
    commits: int = 0
    signed: int = 0
    waiting: int = 0
    head: str = ""
    # The newest commit before and after the moment as of which the database is read, and what lies between.
    before: pygit2.Commit | None = None
    now: pygit2.Commit | None = None
    fresh: set[pygit2.Oid] = field(default_factory=set)
    # Fact id to commit id, and path to the content that its newest commit gave it.
    seen: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, pygit2.Oid] = field(default_factory=dict)

    def differences(self) -> Iterator[Difference]:
        """Every difference, in this order: chain, anchors, commits, facts, files, rows.

        The database is read as of one moment; pushing waits meanwhile, because it may write commits again. RepositoryBusy
        when a push does not end for a minute.
        """
        with _no_push():
            self.before = self.repository.head()
            with _one_moment():
                yield from self._differences()

    def _differences(self) -> Iterator[Difference]:
        broken = find_chain_break()
        if broken:
            yield Difference("chain broken", f"fact {broken.sequence}", broken.reason)
        try:
            yield from self._anchors()
            yield from self._commits()
            yield from self._facts()
            yield from self._files()
        except (pygit2.GitError, KeyError) as error:
            yield Difference("repository damaged", str(self.repository.path), f"an object cannot be read: {error}")
        for place, text in compare_rows(self):
            yield Difference("content differs", place, text)

    def summary(self) -> str:
        later = f", {self.waiting} not yet recorded" if self.waiting else ""
        signed = f" ({self.signed} signed)" if self.signed else ""
        head = f", head {self.head[:12]}" if self.head else ""
        return (
            f"The audit trail holds: {self.requests} requests, {self.facts} facts, "
            f"{self.commits} commits{signed}{later}{head}."
        )

    def _anchors(self) -> Iterator[Difference]:
        """What we once knew to be in main must still be there."""
        self.now = self.repository.head()
        self.head = str(self.now.id) if self.now else ""
        last = _done().filter(receipt__has_key="commit").order_by("-fact_id").first()
        if last and not self._in_main(last.receipt["commit"]):
            place = f"commit {last.receipt['commit'][:12]} of fact {last.fact_id}"
            yield Difference("history rewritten", place, "it was recorded, but main does not lead to it any more")
        remote = find_remote() if settings.AUDIT_REMOTE else None
        if remote and remote.pushed_commit and not self._in_main(remote.pushed_commit):
            place = f"commit {remote.pushed_commit[:12]}"
            yield Difference("history rewritten", place, "it was pushed, but main does not lead to it any more")
        if remote and remote.rewritten_at:
            yield Difference("history rewritten", f"remote {remote.address}", remote.last_error)

    def _in_main(self, commit: str) -> bool:
        git, oid = self.repository.git, pygit2.Oid(hex=commit)
        return bool(self.head) and oid in git and (self.head == commit or git.descendant_of(self.head, oid))

    def _commits(self) -> Iterator[Difference]:
        if self.now is None:
            return
        # Commits made after the database was looked at may belong to facts that are newer than that.
        self.fresh = {commit.id for commit in commits_between(self.repository, _id_of(self.before), self.now.id)}
        signatures = SignatureCheck(self.repository.path)
        walk = iter(commits_between(self.repository, None, self.now.id))
        while chunk := list(islice(walk, CHUNK)):
            trailers = {commit.id: parse_trailers(commit.message) for commit in chunk}
            wanted = [found["Fact-Id"] for found in trailers.values() if found]
            facts = {str(fact.id): fact for fact in DomainEvent.objects.filter(id__in=_uuids(wanted))}
            receipts = {
                str(delivery.fact.id): delivery.receipt
                for delivery in _done().filter(fact__id__in=list(facts)).select_related("fact")
            }
            for commit in chunk:
                if not trailers[commit.id]:
                    yield from self._foreign(commit)
                    continue
                self.commits += 1
                fact_id = trailers[commit.id]["Fact-Id"]
                fact, receipt = facts.get(fact_id), receipts.get(fact_id, {})
                for kind, text in self._commit(commit, trailers[commit.id], fact, receipt):
                    yield Difference(kind, _place(commit, trailers[commit.id]), text)
                signed, fault = signatures.check(commit)
                self.signed += signed
                if fault:
                    yield Difference("unsigned", _place(commit, trailers[commit.id]), fault)

    def _foreign(self, commit: pygit2.Commit) -> Iterator[Difference]:
        """Others may share the repository, but not write to the files of requests."""
        touched = [path for path in changed_paths(commit) if path.startswith(f"{FOLDER}/")]
        if touched and not is_accepted(str(commit.id)):
            place = f"commit {str(commit.id)[:12]} by {commit.author.name}"
            yield Difference("foreign change", place, f"it touches {', '.join(touched[:3])} and belongs to no fact")

    def _commit(
        self, commit: pygit2.Commit, trailers: dict[str, str], fact: DomainEvent | None, receipt: dict[str, Any]
    ) -> Iterator[tuple[str, str]]:
        if fact is None and commit.id in self.fresh:
            self.recorded |= {path: commit.tree[path].id for path in changed_paths(commit)}
            return
        if fact is None or "document" not in fact.data:
            yield "missing in database", f"there is no fact {trailers['Fact-Id']}"
            return
        if str(fact.id) in self.seen:
            yield "recorded twice", f"fact {fact.sequence} is also commit {self.seen[str(fact.id)][:12]}"
        self.seen[str(fact.id)] = str(commit.id)
        yield from _compare_trailers(trailers, fact)
        path, paths = path_of(fact.data["document"]), changed_paths(commit)
        if receipt and receipt.get("commit") != str(commit.id):
            yield "history rewritten", f"fact {fact.sequence} was recorded as commit {str(receipt.get('commit'))[:12]}"
        if foreign := [other for other in paths if other != path]:
            yield "foreign change", f"it touches {', '.join(foreign[:3])}, which is not the file of {fact.subject_id}"
        if path not in commit.tree:
            yield "missing in git", f"it does not contain {path}"
            return
        blob = commit.tree[path]
        self.recorded[path] = blob.id
        data = self.repository.git[blob.id].read_raw()
        if data != to_yaml(fact.data["document"]) and not _means(data, fact.data["document"]):
            yield (
                "content differs",
                f"{path} is not the document of fact {fact.sequence}: {first_difference(data, fact)}",
            )
        elif receipt and receipt.get("blob") != str(blob.id):
            yield "content differs", f"{path} is not the file that was recorded for fact {fact.sequence}"

    def _facts(self) -> Iterator[Difference]:
        """Facts without a commit: waiting is no fault, being told to be done is."""
        wants = channels()[CHANNEL].wants
        states = {
            fact: (state, error)
            for fact, state, error in Delivery.objects.filter(channel=CHANNEL).values_list(
                "fact_id", "state", "last_error"
            )
        }
        rows = DomainEvent.objects.filter(data__has_key="document").order_by("sequence")
        for sequence, fact_id, kind, subject in rows.values_list("sequence", "id", "type", "subject_id").iterator():
            if not wants(kind):
                continue
            self.facts += 1
            state, error = states.get(sequence, ("", ""))
            if str(fact_id) in self.seen:
                continue
            if state == DeliveryState.DONE:
                yield Difference("missing in git", f"{subject}, fact {sequence} ({kind})", "it has no commit")
            elif state == DeliveryState.DEAD:
                yield Difference("missing in git", f"{subject}, fact {sequence} ({kind})", f"it was given up: {error}")
            else:
                self.waiting += 1

    def _files(self) -> Iterator[Difference]:
        """The files as they are in main: each as its newest commit of ours left it, and no others."""
        files = dict(self._files_in_main())
        for path, blob in self.recorded.items():
            if path not in files:
                yield Difference("missing in git", path, "the file was removed from main")
            elif files[path] != blob:
                yield Difference("content differs", path, "the file in main is not what its newest recorded step says")
        for path in files.keys() - self.recorded.keys():
            yield Difference("missing in database", path, "no fact of the database recorded this file")

    def _files_in_main(self) -> Iterator[tuple[str, pygit2.Oid]]:
        if self.now is not None and FOLDER in self.now.tree:
            yield from _files_below(self.now.tree[FOLDER], FOLDER)


@contextmanager
def _no_push() -> Iterator[None]:
    for _ in range(120):
        with only_one(LOCK) as mine:
            if mine:
                yield
                return
        time.sleep(0.5)
    raise RepositoryBusy("A push to the remote is under way and does not end; try again later.")


@contextmanager
def _one_moment() -> Iterator[None]:
    """All reads see the database as of the first one (in a test, the test's own transaction has to do)."""
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def is_accepted(commit: str) -> bool:
    """Whether a person has looked at somebody else's commit and accepted that it is there."""
    return DomainEvent.objects.filter(type=FOREIGN_ACCEPTED, data__commits__contains=[commit]).exists()


def _id_of(commit: pygit2.Commit | None) -> pygit2.Oid | None:
    return commit.id if commit else None


def _files_below(tree: Any, prefix: str) -> Iterator[tuple[str, pygit2.Oid]]:
    for entry in tree:
        path = f"{prefix}/{entry.name}"
        if isinstance(entry, pygit2.Tree):
            yield from _files_below(entry, path)
        else:
            yield path, entry.id


def _done() -> Any:
    return Delivery.objects.filter(channel=CHANNEL, state=DeliveryState.DONE)


def _uuids(texts: Iterable[str]) -> list[str]:
    return [text for text in texts if len(text) == 36 and set(text) <= set("0123456789abcdef-")]


def _place(commit: pygit2.Commit, trailers: dict[str, str]) -> str:
    return f"{trailers.get('Request-Id')}, fact {trailers.get('Fact-Sequence')}, commit {str(commit.id)[:12]}"


def _compare_trailers(trailers: dict[str, str], fact: DomainEvent) -> Iterator[tuple[str, str]]:
    if "restored" in fact.data:
        if digest_of(trailers) != fact.data["restored"]["trailers"]:
            yield "trailer differs", "the trailers are not those that the fact was restored from"
        return
    for name, expected in trailers_of(fact).items():
        if trailers.get(name) != expected:
            yield "trailer differs", f"{name} is {trailers.get(name, 'missing')[:200]}, the fact says {expected[:200]}"


def _means(data: bytes, document: dict[str, Any]) -> bool:
    """A file of an earlier format may look different and say the same."""
    try:
        return from_yaml(data) == document
    except BadDocument:
        return False


def first_difference(data: bytes, fact: DomainEvent) -> str:
    """The first line that is not as the fact says."""
    lines = data.decode(errors="replace").splitlines()
    expected = to_yaml(fact.data["document"]).decode().splitlines()
    for number, (is_, should) in enumerate(zip(lines, expected, strict=False), 1):
        if is_ != should:
            return f"line {number} is {is_.strip()[:120]!r}, the fact says {should.strip()[:120]!r}"
    return f"it has {len(lines)} lines instead of {len(expected)}"
