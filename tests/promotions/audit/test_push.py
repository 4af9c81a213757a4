"""The remote gets every commit, whatever it does: it moves, refuses, vanishes, or has its history rewritten."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from core.gitcli import GitFailed, check_address, run_git, without_secrets
from events.models import Delivery, DomainEvent
from promotions.audit.health import check_audit
from promotions.audit.push import find_remote, push_audit
from promotions.audit.verify import Audit
from promotions.models import AuditRemote, PromotionRequest
from promotions.services import comment_on_request
from promotions.tasks import pack_audit
from promotions.tasks import push_audit as push_task
from tests.promotions.audit.conftest import deliver


@pytest.fixture
def remote(tmp_path: Path, settings, repository, git) -> Path:
    """An empty bare repository that is the remote."""
    place = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(place))
    settings.AUDIT_REMOTE = str(place)
    return place


@pytest.fixture
def colleague(tmp_path: Path, remote, git):
    """Somebody with a clone of the remote, who commits and pushes by hand."""

    class Colleague:
        place = tmp_path / "clone"

        def clone(self) -> None:
            git(tmp_path, "clone", "--quiet", str(remote), str(self.place))

        def write(self, path: str, text: str) -> str:
            file = self.place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            git(self.place, "add", path)
            git(self.place, "commit", "--quiet", "-m", f"Write {path}")
            return git(self.place, "rev-parse", "HEAD")

        def push(self, *words: str) -> None:
            git(self.place, "push", "--quiet", *words, "origin", "HEAD:main")

    return Colleague()


def add_hook(remote: Path, text: str) -> Path:
    hook = remote / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\n{text}\n")
    hook.chmod(0o755)
    return hook


def try_again_now() -> None:
    AuditRemote.objects.update(next_at="2000-01-01T00:00:00Z", checked_at=None)


def same(git, repository: Path, remote: Path) -> str:
    head = git(repository, "rev-parse", "main")
    assert head == git(remote, "rev-parse", "main")
    assert find_remote().pushed_commit == head
    return head


def step(promotion: PromotionRequest, by, comment: str = "One more step") -> None:
    comment_on_request(promotion=promotion, by=by, comment=comment)
    deliver()


def audit_holds() -> None:
    assert [str(difference) for difference in Audit().differences()] == []


def test_commits_reach_an_empty_remote_and_follow_each_other(remote, repository, pending, cpi, git):
    deliver()
    assert push_task.run() == "pushed"
    same(git, repository, remote)
    assert push_audit() == "nothing to push"
    step(pending, cpi)
    assert push_audit() == "pushed"
    same(git, repository, remote)
    assert git(remote, "rev-list", "--count", "main") == "2"
    assert check_audit()["ok"]
    audit_holds()


def test_without_a_remote_or_without_commits_nothing_happens(repository, remote, settings, db):
    assert push_audit() == "nothing to push"
    settings.AUDIT_REMOTE = ""
    assert push_audit() == "no remote"


def test_others_push_first_and_nothing_of_theirs_or_ours_is_lost(remote, repository, pending, cpi, git, colleague):
    deliver()
    push_audit()
    colleague.clone()
    theirs = colleague.write("apis/payment.yaml", "owner: finance\n")
    colleague.push()
    step(pending, cpi)
    step(pending, cpi, "And another")

    assert push_audit() == "pushed"
    head = same(git, repository, remote)
    assert git(remote, "rev-list", "--count", "main") == "4"
    assert git(remote, "rev-list", "main").splitlines()[2] == theirs
    assert git(remote, "show", "main:apis/payment.yaml") == "owner: finance"
    assert git(remote, "log", "-2", "--format=%an %cn").splitlines() == ["Cpi Stagepass"] * 2
    assert Delivery.objects.filter(channel="audit").order_by("-fact_id").first().receipt["commit"] == head
    audit_holds()
    step(pending, cpi, "On top of it all")
    assert push_audit() == "pushed"
    same(git, repository, remote)
    audit_holds()


def test_a_remote_with_a_history_of_its_own_takes_ours_on_top(remote, repository, pending, git, colleague):
    colleague.clone()
    colleague.write("README.md", "Ours\n")
    colleague.push()
    deliver()
    assert push_audit() == "pushed"
    same(git, repository, remote)
    assert git(remote, "ls-tree", "--name-only", "main").splitlines() == ["README.md", "requests"]
    audit_holds()


def test_a_crash_between_taking_over_and_noting_it_heals(remote, repository, pending, cpi, git, colleague):
    deliver()
    push_audit()
    colleague.clone()
    colleague.write("README.md", "Ours\n")
    colleague.push()
    step(pending, cpi)
    stale = Delivery.objects.filter(channel="audit").order_by("-fact_id").first()
    hook = add_hook(remote, "exit 1")
    assert push_audit() == "failed"
    Delivery.objects.filter(pk=stale.pk).update(receipt=stale.receipt)
    hook.unlink()
    try_again_now()
    assert push_audit() == "pushed"
    same(git, repository, remote)
    audit_holds()


def test_somebody_who_pushes_during_our_push_only_costs_another_round(remote, repository, pending, cpi, git, colleague):
    deliver()
    push_audit()
    colleague.clone()
    theirs = colleague.write("README.md", "Ours\n")
    git(colleague.place, "push", "--quiet", "origin", "HEAD:refs/heads/waiting")
    # The hook of our own push moves main under our feet, once.
    mark = remote / "moved"
    add_hook(
        remote,
        f"""test -e {mark} && exit 0
touch {mark}
unset GIT_QUARANTINE_PATH
git update-ref refs/heads/main {theirs}""",
    )
    step(pending, cpi)
    assert push_audit() == "pushed"
    assert mark.exists()
    same(git, repository, remote)
    assert git(remote, "show", "main:README.md") == "Ours"
    audit_holds()


def test_a_remote_cut_off_between_looking_and_pushing_is_not_written_over(
    remote, repository, pending, cpi, git, monkeypatch
):
    """Without a lease git would take the cut-off history for one that is merely behind."""
    deliver()
    step(pending, cpi)
    push_audit()
    step(pending, cpi)

    def cut_off_first(place: Path, *words: str) -> str:
        if words[0] == "push":
            git(remote, "update-ref", "refs/heads/main", "main~1")
        return run_git(place, *words)

    monkeypatch.setattr("promotions.audit.push.run_git", cut_off_first)
    assert push_audit() == "rewritten"
    assert git(remote, "rev-list", "--count", "main") == "1"


def test_a_refusing_hook_is_shown_and_tried_again_with_longer_and_longer_waits(
    remote, repository, pending, cpi, git, settings
):
    hook = add_hook(remote, "echo 'No pushes on Fridays.' >&2\nexit 1")
    deliver()
    waits = []
    for _ in range(4):
        assert push_audit() == "failed"
        row = AuditRemote.objects.get()
        waits.append((row.next_at - Delivery.objects.get(channel="audit").done_at).total_seconds())
        assert "No pushes on Fridays." in row.last_error
        assert push_audit() == "waiting"
        try_again_now()
    assert waits == sorted(waits)
    assert waits[0] > 3
    assert check_audit()["push_failures"] == 4
    step(pending, cpi)  # recording does not wait for the remote
    assert Delivery.objects.filter(channel="audit", state="done").count() == 2

    hook.unlink()
    assert push_audit() == "pushed"
    row = AuditRemote.objects.get()
    assert (row.attempts, row.last_error) == (0, "")
    same(git, repository, remote)


def test_a_remote_that_is_away_is_tried_again(remote, repository, pending, git):
    deliver()
    away = remote.with_suffix(".away")
    remote.rename(away)
    assert push_audit() == "failed"
    assert "does not appear to be a git repository" in AuditRemote.objects.get().last_error
    away.rename(remote)
    try_again_now()
    assert push_audit() == "pushed"
    same(git, repository, remote)


def test_a_remote_that_hangs_is_given_up_with_all_its_children(remote, repository, pending, monkeypatch, tmp_path):
    mark = tmp_path / "survived"
    add_hook(remote, f"sleep 1.5\ntouch {mark}")
    deliver()
    monkeypatch.setattr("core.gitcli.LIMIT_SECONDS", 0.7)
    assert push_audit() == "failed"
    assert "no answer within" in AuditRemote.objects.get().last_error
    time.sleep(1.5)
    assert not mark.exists()


REWRITES = {
    "cut off": lambda git, remote, old: git(remote, "update-ref", "refs/heads/main", "main~1"),
    "replaced": lambda git, remote, old: git(
        remote, "update-ref", "refs/heads/main", git(remote, "commit-tree", "main^{tree}", "-m", "One clean commit")
    ),
    "deleted": lambda git, remote, old: git(remote, "update-ref", "-d", "refs/heads/main"),
}


@pytest.mark.parametrize("how", REWRITES)
def test_a_rewritten_remote_is_told_loudly_and_not_written_over(how, remote, repository, pending, cpi, git):
    deliver()
    step(pending, cpi)
    push_audit()
    pushed = same(git, repository, remote)
    REWRITES[how](git, remote, pushed)
    before = git(remote, "for-each-ref")
    step(pending, cpi, "While nobody was looking")

    assert push_audit() == "rewritten"
    try_again_now()
    assert push_audit() == "rewritten"
    assert git(remote, "for-each-ref") == before
    fact = DomainEvent.objects.get(type="audit.remote_rewritten")
    assert fact.data["pushed"] == pushed
    state = check_audit()
    assert (state["ok"], state["remote_rewritten"]) == (False, True)
    assert [difference.kind for difference in Audit().differences()] == ["history rewritten"]

    git(repository, "push", "--force", str(remote), f"{pushed}:refs/heads/main")  # a person puts it right
    try_again_now()
    assert push_audit() == "pushed"
    same(git, repository, remote)
    assert DomainEvent.objects.filter(type="audit.remote_restored").count() == 1
    assert check_audit()["ok"]
    audit_holds()


def test_a_rewrite_is_found_also_when_there_is_nothing_to_push(remote, repository, pending, git):
    deliver()
    push_audit()
    git(remote, "update-ref", "-d", "refs/heads/main")
    assert push_audit() == "nothing to push"  # looked a moment ago
    try_again_now()
    assert push_audit() == "rewritten"


def test_another_remote_gets_everything_without_fuss(remote, repository, pending, git, settings, tmp_path):
    deliver()
    push_audit()
    git(remote, "update-ref", "-d", "refs/heads/main")
    try_again_now()
    push_audit()
    other = tmp_path / "other.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(other))
    settings.AUDIT_REMOTE = str(other)
    assert push_audit() == "pushed"
    same(git, repository, other)


def test_an_edit_of_a_request_file_by_hand_is_told(remote, repository, pending, cpi, git, colleague):
    deliver()
    push_audit()
    colleague.clone()
    path = f"requests/prod/{pending.created_at:%Y/%m}/{pending}.yaml"
    theirs = colleague.write(path, "state: approved\n")
    colleague.push()
    try_again_now()
    assert push_audit() == "pushed"
    fact = DomainEvent.objects.get(type="audit.foreign_change")
    assert fact.data == {"commits": [theirs], "paths": [path]}
    assert [difference.kind for difference in Audit().differences()] == ["foreign change", "content differs"]

    step(pending, cpi)  # the database is right: the next step writes the file anew
    push_audit()
    same(git, repository, remote)
    assert "state: pending" in git(remote, "show", f"main:{path}")


def test_a_local_commit_that_is_not_ours_is_never_written_again_in_our_name(
    remote, repository, pending, git, colleague, cpi
):
    deliver()
    push_audit()
    colleague.clone()
    colleague.write("README.md", "Ours\n")
    colleague.push()
    forged = git(repository, "commit-tree", "main^{tree}", "-p", "main", "-m", "Forged")
    git(repository, "update-ref", "refs/heads/main", forged)
    assert push_audit() == "failed"
    assert "was not made by Stagepass" in AuditRemote.objects.get().last_error


def test_packing_loses_nothing(repository, pending, cpi, git):
    deliver()
    head = git(repository, "rev-parse", "main")
    pack_audit.run()
    assert git(repository, "count-objects").startswith("0 objects")
    step(pending, cpi)
    assert git(repository, "rev-parse", "main~1") == head
    audit_holds()


def test_no_configuration_of_others_is_obeyed(remote, repository, pending, git, tmp_path, monkeypatch):
    """Neither hooks nor a user's own configuration run in our name."""
    home, mark = tmp_path / "home", tmp_path / "ran"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[core]\n\thooksPath = {home}\n[url "file:///nowhere/"]\n\tinsteadOf = {tmp_path}/\n'
    )
    hook = home / "pre-push"
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    deliver()
    (repository / "hooks").mkdir(exist_ok=True)
    local = repository / "hooks" / "pre-push"
    local.write_text(f"#!/bin/sh\ntouch {mark}\n")
    local.chmod(0o755)
    assert push_audit() == "pushed"
    assert not mark.exists()


@pytest.mark.parametrize("address", ["--upload-pack=touch /tmp/x", "ext::sh -c id", "fd::17", "a\nb"])
def test_addresses_that_are_commands_are_refused(address, repository, pending, settings):
    with pytest.raises(GitFailed, match="not the address of a repository"):
        check_address(address)
    settings.AUDIT_REMOTE = address
    deliver()
    assert push_audit() == "failed"


def test_ordinary_addresses_are_taken():
    for address in ("/srv/git/audit.git", "https://git.example.com/audit.git", "git@git.example.com:audit.git",
                    "ssh://git@[2001:db8::1]/audit.git"):  # fmt: skip
        assert check_address(address) == address


def test_plain_http_is_refused(repository, pending, settings):
    settings.AUDIT_REMOTE = "http://localhost:1/audit.git"
    deliver()
    assert push_audit() == "failed"
    assert "not allowed" in AuditRemote.objects.get().last_error


def test_passwords_stay_out_of_the_database(repository, pending, settings):
    settings.AUDIT_REMOTE = "https://robot:s3cret@localhost:1/audit.git"
    deliver()
    assert push_audit() == "failed"
    row = AuditRemote.objects.get()
    assert row.address == "https://localhost:1/audit.git"
    assert "s3cret" not in row.last_error
    assert without_secrets("at https://a:b@c/d and ssh://e@f/g") == "at https://c/d and ssh://f/g"
