"""Writes our own commits again on top of a remote's: each touches one file of its own, so nothing ever conflicts."""

from __future__ import annotations

from dataclasses import dataclass, field

import pygit2
from pygit2.enums import SortMode

from events.models import Delivery
from promotions.audit.commits import FOLDER, parse_trailers
from promotions.audit.repository import AuditRepository, RepositoryDamaged

CHANNEL = "audit"


@dataclass(slots=True)
class ForeignCommits:
    """Commits that are not ours and touch the files of requests."""

    commits: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


def commits_between(repository: AuditRepository, older: pygit2.Oid | None, newer: pygit2.Oid) -> list[pygit2.Commit]:
    """What `newer` has and `older` has not, oldest first."""
    walk = repository.git.walk(newer, SortMode.TOPOLOGICAL | SortMode.REVERSE)
    if older is not None:
        walk.hide(older)
    return list(walk)


def changed_paths(commit: pygit2.Commit) -> list[str]:
    """The files that the commit changed against its first parent."""
    tree = commit.tree
    diff = commit.parents[0].tree.diff_to_tree(tree) if commit.parents else tree.diff_to_tree(swap=True)
    return sorted({path for delta in diff.deltas for path in (delta.old_file.path, delta.new_file.path)})


def foreign_commits(repository: AuditRepository, theirs: pygit2.Oid, ours: pygit2.Oid) -> ForeignCommits:
    """What others did to our files in the commits that we do not have yet."""
    found = ForeignCommits()
    for commit in commits_between(repository, ours, theirs):
        touched = [path for path in changed_paths(commit) if path.startswith(f"{FOLDER}/")]
        if touched and not parse_trailers(commit.message):
            found.commits.append(str(commit.id))
            found.paths += [path for path in touched if path not in found.paths]
    return found


def replay_onto(repository: AuditRepository, theirs: pygit2.Oid, head: pygit2.Commit) -> pygit2.Commit:
    """The newest of our commits written again on top of `theirs`; no branch moves.

    RepositoryDamaged when one of them is not ours to write.
    """
    base = repository.git[theirs]
    assert isinstance(base, pygit2.Commit)
    for commit in commits_between(repository, theirs, head.id):
        paths = changed_paths(commit)
        if not parse_trailers(commit.message) or len(paths) != 1:
            raise RepositoryDamaged(
                f"Commit {commit.id} of the audit repository was not made by Stagepass: run `manage.py audit verify`."
            )
        blob = commit.tree[paths[0]].id
        again = repository.commit(paths[0], blob, by=commit.author, message=commit.message, parent=base)
        base = repository.git[again]
        assert isinstance(base, pygit2.Commit)
    return base


def note_commits(repository: AuditRepository, head: pygit2.Commit, since: pygit2.Oid | None) -> None:
    """Make the receipts name the commits as they are after a replay; right ones stay untouched."""
    found = {}
    for commit in commits_between(repository, since, head.id):
        if trailers := parse_trailers(commit.message):
            found[trailers["Fact-Id"]] = str(commit.id)
    told = Delivery.objects.filter(channel=CHANNEL, fact__id__in=list(found), receipt__has_key="commit")
    for delivery in told.select_related("fact"):
        commit_id = found[str(delivery.fact.id)]
        if delivery.receipt["commit"] != commit_id:
            Delivery.objects.filter(pk=delivery.pk).update(receipt={**delivery.receipt, "commit": commit_id})
