"""With a key each commit is signed, git itself agrees, and what is not signed by us is found."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from promotions.audit.repository import AuditRepository
from promotions.audit.verify import Audit
from promotions.services import comment_on_request
from tests.promotions.audit.conftest import deliver
from tests.promotions.audit.test_verify import audit


def new_key(place: Path) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "stagepass", "-f", str(place)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return place


@pytest.fixture
def key(tmp_path, repository, settings) -> Path:
    settings.AUDIT_SIGNING_KEY = str(new_key(tmp_path / "key"))
    return Path(settings.AUDIT_SIGNING_KEY)


def step(promotion, by) -> None:
    comment_on_request(promotion=promotion, by=by, comment="One more step")
    deliver()


def verdicts(git, repository: Path) -> str:
    keys = f"gpg.ssh.allowedSignersFile={repository / 'allowed_signers'}"
    return "".join(git(repository, "-c", keys, "log", "--reverse", "--format=%G?", "main").split())


def test_git_verifies_every_commit(key, repository, pending, cpi, git):
    step(pending, cpi)
    assert verdicts(git, repository) == "GG"
    assert "2 commits (2 signed)" in audit("verify")
    git(repository, "fsck", "--strict")


def test_signing_that_begins_later_is_no_fault_but_one_that_ends_is(repository, pending, cpi, settings, tmp_path, git):
    deliver()
    settings.AUDIT_SIGNING_KEY = str(new_key(tmp_path / "key"))
    step(pending, cpi)
    assert verdicts(git, repository) == "NG"
    assert "2 commits (1 signed)" in audit("verify")
    key, settings.AUDIT_SIGNING_KEY = settings.AUDIT_SIGNING_KEY, ""
    step(pending, cpi)
    settings.AUDIT_SIGNING_KEY = key
    told = audit("verify")
    assert told.startswith("FAILED unsigned: ")
    assert "fact 3" in told


def test_a_replaced_key_leaves_old_signatures_good(key, repository, pending, cpi, settings, tmp_path, git):
    deliver()
    settings.AUDIT_SIGNING_KEY = str(new_key(tmp_path / "new"))
    step(pending, cpi)
    assert verdicts(git, repository) == "GG"
    assert "2 commits (2 signed)" in audit("verify")


def test_a_signature_by_somebody_else_is_found(key, repository, pending, cpi, settings, tmp_path):
    deliver()
    settings.AUDIT_SIGNING_KEY = str(new_key(tmp_path / "stranger"))
    step(pending, cpi)
    settings.AUDIT_SIGNING_KEY = str(key)
    listed = repository / "allowed_signers"
    listed.write_text(listed.read_text().splitlines()[0] + "\n")
    assert [difference.kind for difference in Audit().differences()] == ["unsigned"]


def test_a_key_that_cannot_be_used_delays_but_loses_nothing(key, repository, pending, git):
    hidden = key.rename(key.with_suffix(".hidden"))
    deliver()
    assert AuditRepository.open().head() is None
    hidden.rename(key)
    deliver()
    assert verdicts(git, repository) == "G"


def test_replayed_commits_are_signed_again(key, repository, pending, cpi, settings, tmp_path, git):
    from promotions.audit.push import push_audit

    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    tree = git(remote, "mktree", given="")
    git(remote, "update-ref", "refs/heads/main", git(remote, "commit-tree", tree, "-m", "Theirs"))
    settings.AUDIT_REMOTE = str(remote)
    step(pending, cpi)
    assert push_audit() == "pushed"
    assert verdicts(git, repository) == "NGG"
    assert "holds" in audit("verify")
