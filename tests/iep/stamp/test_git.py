"""The checks before a promotion, against real repositories."""

from __future__ import annotations

import pytest

from stamp.errors import Refused
from stamp.git import Git, check_promotable, describe
from tests.iep.stamp.running import git


def test_a_clean_tree_that_descends_from_the_remotes_default_branch(checkout):
    (checkout / "src" / "main.js").write_text("changed\n")
    git(checkout, "commit", "-qam", "Change")
    verdicts = check_promotable(checkout)
    told = {verdict["policy"]: verdict["outcome"] for verdict in verdicts}
    assert told == {"git_clean": "pass", "git_ancestry": "pass", "git_pushed": "warn"}
    git(checkout, "push", "-q", "origin", "HEAD")
    assert check_promotable(checkout)[2]["outcome"] == "pass"
    assert "origin/trunk" in verdicts[1]["reason"], "the default branch is the remote's, not a fixed name"


@pytest.mark.parametrize("how", ["modified", "staged", "untracked"])
def test_a_tree_that_is_not_clean(checkout, how):
    if how == "untracked":
        (checkout / "notes.txt").write_text("x")
    else:
        (checkout / "src" / "main.js").write_text("changed\n")
    if how == "staged":
        git(checkout, "add", ".")
    with pytest.raises(Refused, match="not clean") as refused:
        check_promotable(checkout)
    assert any("main.js" in line or "notes.txt" in line for line in refused.value.lines)


def push_from_elsewhere(checkout, tmp_path) -> str:
    """Somebody else's commit on the remote's default branch, which this checkout has not fetched."""
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(tmp_path / "remote.git"), str(other))
    (other / "theirs.js").write_text("theirs\n")
    git(other, "add", ".")
    git(other, "commit", "-qm", "Theirs")
    git(other, "push", "-q", "origin", "HEAD")
    return git(other, "rev-parse", "HEAD")


def test_a_default_branch_that_moved_on_since(checkout, tmp_path):
    push_from_elsewhere(checkout, tmp_path)
    with pytest.raises(Refused, match="does not descend from origin/trunk") as refused:
        check_promotable(checkout)
    assert "git rebase origin/trunk" in refused.value.hint
    git(checkout, "pull", "-q", "--rebase", "origin", "trunk")
    assert check_promotable(checkout)


def test_the_default_branch_is_asked_of_the_remote_and_not_of_a_memory(checkout, tmp_path):
    push_from_elsewhere(checkout, tmp_path)
    git(tmp_path / "remote.git", "branch", "older", "trunk~1")
    git(tmp_path / "remote.git", "symbolic-ref", "HEAD", "refs/heads/older")
    assert "origin/older" in check_promotable(checkout)[1]["reason"]


def test_no_repository_no_commit_no_remote_and_no_answer(folder, tmp_path):
    with pytest.raises(Refused, match="no git repository"):
        check_promotable(folder)
    git(folder, "init", "-q")
    with pytest.raises(Refused, match="no commit"):
        check_promotable(folder)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Begin")
    with pytest.raises(Refused, match="no remote"):
        check_promotable(folder)
    git(folder, "remote", "add", "origin", str(tmp_path / "gone.git"))
    with pytest.raises(Refused, match="could not be asked"):
        check_promotable(folder)


def test_which_remote_counts(checkout, tmp_path):
    git(checkout, "remote", "add", "mirror", str(tmp_path / "mirror.git"))
    assert Git(checkout).remote() == "origin"
    assert Git(checkout).remote("mirror") == "mirror"
    git(checkout, "config", "branch.feature/TKT-001-cart.remote", "mirror")
    assert Git(checkout).remote() == "mirror"
    git(checkout, "remote", "rename", "origin", "upstream")
    git(checkout, "config", "--unset", "branch.feature/TKT-001-cart.remote")
    assert Git(checkout).remote() == "", "two to choose from, and nothing says which"


def test_what_a_stamp_remembers_holds_no_password(checkout):
    git(checkout, "remote", "set-url", "origin", "https://dev:secret@git.example.com/shop.git")
    told = describe(checkout)
    assert told["remote"] == "https://git.example.com/shop.git"
    assert (told["branch"], told["dirty"]) == ("feature/TKT-001-cart", False)
    assert len(told["head"]) == 40


def test_outside_git_there_is_nothing_to_remember(folder):
    assert describe(folder) is None
