"""Policies: each says why; one that fails or hangs says no."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from core.clock import now
from iep.errors import PolicyRefused
from iep.mirrors import fetch_mirror
from iep.models import Application
from iep.policies import judge
from iep.policies.base import Outcome, Step, Verdict
from iep.services import promote_stamp
from iep.services.change import load
from iep.services.upkeep import fetch_mirrors
from tests.api import assert_problem, call_as

pytestmark = pytest.mark.django_db
NEW = b'export const cart = "new";'


class Hangs:
    def check(self, step: Step) -> Verdict:
        time.sleep(30)
        raise AssertionError


class Breaks:
    def check(self, step: Step) -> Verdict:
        raise RuntimeError("no disk")


@pytest.fixture
def wanting(shop, save):
    """A stamp of an application that has these policies."""

    def stamp(*names: str, **options):
        Application.objects.filter(pk=shop.pk).update(policies=list(names), policy_options=options)
        return load(save("TKT-001", {"src/cart.js": NEW}).stamp)

    return stamp


def verdict(stamp, by, target="qa", git=None) -> Verdict:
    (found,) = judge(Step(stamp=stamp, target=target, by=by, git=git))
    return found


def test_one_that_hangs_refuses_in_time(wanting, devops, settings):
    settings.IEP_POLICIES = {"slow": {"BACKEND": "tests.iep.test_policies.Hangs"}}
    settings.IEP_POLICY_SECONDS = 0.3
    begun = time.monotonic()
    with pytest.raises(PolicyRefused) as refusal:
        promote_stamp(stamp=wanting("slow"), by=devops)
    assert time.monotonic() - begun < 10
    assert "did not answer" in refusal.value.message


def test_one_that_fails_or_is_not_there_refuses(wanting, devops, settings):
    settings.IEP_POLICIES = {"broken": {"BACKEND": "tests.iep.test_policies.Breaks"}}
    answer = call_as(devops)
    wanting("broken", "unknown")
    problem = assert_problem(answer.post("/v1/iep/applications/shop/stamps/TKT-001/promote"), 422, "policy_refused")
    assert [v["outcome"] for v in problem["verdicts"]] == ["block", "block"]
    assert "no disk" in problem["verdicts"][0]["reason"]
    check = answer.post("/v1/iep/applications/shop/stamps/TKT-001/check").json()
    assert check["verdicts"] == problem["verdicts"]
    assert not check["allowed"]


def test_freeze_window(wanting, devops):
    soon, then = now().replace(year=now().year + 1), now().replace(year=now().year - 1)
    window = {"from": then.isoformat(), "until": soon.isoformat(), "reason": "year's end"}
    stamp = wanting("freeze window", **{"freeze window": {"windows": [window]}})
    assert verdict(stamp, devops).outcome == Outcome.PASS
    refused = verdict(stamp, devops, "prod")
    assert (refused.outcome, "year's end" in refused.reason) == (Outcome.BLOCK, True)
    over = wanting("freeze window", **{"freeze window": {"windows": [window | {"until": then.isoformat()}]}})
    assert verdict(over, devops, "prod").outcome == Outcome.PASS
    days = wanting("freeze window", **{"freeze window": {"days": [now().strftime("%a").lower()]}})
    assert verdict(days, devops, "prod").outcome == Outcome.BLOCK
    naive = wanting("freeze window", **{"freeze window": {"windows": [{"from": "2026-01-01", "until": "2026-01-02"}]}})
    assert verdict(naive, devops, "prod").outcome == Outcome.BLOCK, "what cannot be read refuses"


def test_sign_off(wanting, devops, shop):
    assert verdict(wanting("sign-off"), devops, "prod").outcome == Outcome.BLOCK
    Application.objects.filter(pk=shop.pk).update(sign_off=True)
    assert verdict(wanting("sign-off"), devops, "prod").outcome == Outcome.PASS


def test_sanity_command(wanting, devops, settings):
    check = 'grep -q new src/cart.js && echo "cart $(cat)" || { echo "no new cart"; exit 3; }'
    settings.SANITY_COMMANDS = {"cart": ["sh", "-c", check], "slow": ["sleep", "30"]}
    passed = verdict(wanting("sanity command", **{"sanity command": {"command": "cart"}}), devops)
    assert passed.outcome == Outcome.PASS, passed.reason
    assert '"ticket": "TKT-001"' in passed.reason
    unknown = verdict(wanting("sanity command", **{"sanity command": {"command": "rm"}}), devops)
    assert (unknown.outcome, "cart, slow" in unknown.reason) == (Outcome.BLOCK, True)
    settings.IEP_POLICY_SECONDS = 0.5
    slow = verdict(wanting("sanity command", **{"sanity command": {"command": "slow"}}), devops)
    assert slow.outcome == Outcome.BLOCK


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path, shop, settings) -> Path:
    """The shop's remote repository, whose default branch is called trunk."""
    settings.STATE_DIR = tmp_path / "state"
    folder = tmp_path / "remote"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "src").mkdir()
    (folder / "src/cart.js").write_bytes(b"old")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    Application.objects.filter(pk=shop.pk).update(repository=str(folder))
    return folder


def commit(folder: Path, branch: str, content: bytes) -> str:
    git(folder, "checkout", "-q", "-B", branch)
    (folder / "src/cart.js").write_bytes(content)
    git(folder, "commit", "-q", "-am", "change")
    head = git(folder, "rev-parse", "HEAD")
    git(folder, "checkout", "-q", "trunk")
    return head


def test_git_ancestry_asks_the_remote_itself(repository, wanting, devops):
    """Fault 9 of the original: the server looked at its own checkout and at a branch called master."""
    head = commit(repository, "cart", NEW)
    stamp = wanting("git ancestry")
    assert "not fetched yet" in verdict(stamp, devops, git={"head": head}).reason
    assert fetch_mirrors() == 1
    fine = verdict(stamp, devops, git={"head": head})
    assert (fine.outcome, "trunk" in fine.reason) == (Outcome.PASS, True)
    for wrong, word in (
        ({}, "which commit"), ({"head": head, "dirty": True}, "not committed"), ({"head": "a" * 40}, "no pushed branch"),
        ({"head": "--upload-pack=x"}, "no pushed branch"),
    ):  # fmt: skip
        refused = verdict(stamp, devops, git=wrong)
        assert refused.outcome == Outcome.BLOCK
        assert word in refused.reason
    commit(repository, "trunk", b"meanwhile")
    fetch_mirror(stamp.application)
    assert "Merge or rebase onto trunk" in verdict(stamp, devops, git={"head": head}).reason


def test_digests_match_the_commit(repository, wanting, devops, shop):
    head = commit(repository, "cart", NEW)
    other = commit(repository, "cart2", b"something else")
    stamp = wanting("digests match commit")
    fetch_mirror(stamp.application)
    assert verdict(stamp, devops, git={"head": head}).outcome == Outcome.PASS
    refused = verdict(stamp, devops, git={"head": other})
    assert (refused.outcome, "src/cart.js" in refused.reason) == (Outcome.BLOCK, True)
    assert verdict(stamp, devops, git={"head": "b" * 40}).outcome == Outcome.BLOCK
