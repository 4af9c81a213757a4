"""The demo's deploy program: published, checked, switched; or left as it was."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from promotions.demo_service import current_version, place_of, publish
from promotions.deployers.local import LocalDeployer
from promotions.deployers.runs import PROJECT
from tests.promotions.deployers.jobs import document, follow, make_job


def deploy(environments, version: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "promotions.demo_service", str(environments), "--pause", "0"],
        input=json.dumps(document(version=version)), cwd=PROJECT, text=True, capture_output=True, check=False,
    )  # fmt: skip


@pytest.fixture
def place(tmp_path):
    publish(tmp_path, "prod", "tenant-finance", "payment-api", "2.0.0")
    return place_of(tmp_path, "prod", "tenant-finance", "payment-api")


def test_a_version_is_published_and_becomes_current(tmp_path, place):
    run = deploy(tmp_path, "2.1.0")
    assert run.returncode == 0, run.stderr
    assert "prod runs 2.0.0" in run.stdout
    assert "Checking what is current now: GET /health 200 healthy, version 2.1.0" in run.stdout
    assert (current_version(place), (place / "releases" / "2.0.0").is_dir()) == ("2.1.0", True)
    assert json.loads((place / "current/version.json").read_text())["request"] == "PR-2026-0001"


def test_a_broken_version_leaves_the_old_one_current(tmp_path, place):
    run = deploy(tmp_path, "2.1.0-broken")
    assert run.returncode == 1
    assert "GET /health 500" in run.stdout
    assert run.stdout.endswith("Given up: prod still runs 2.0.0.\n")
    assert current_version(place) == "2.0.0"
    assert [release.name for release in (place / "releases").iterdir()] == ["2.0.0"]


def test_the_same_version_can_be_deployed_again(tmp_path, place):
    assert [deploy(tmp_path, "2.0.0").returncode for _ in range(2)] == [0, 0]
    assert current_version(place) == "2.0.0"


@pytest.mark.parametrize("name", ["../../../etc", "a/../../b", "..", "/etc/passwd", ".hidden"])
def test_no_name_leads_out_of_the_environments(tmp_path, name):
    place = place_of(tmp_path, "prod", "../x", name)
    assert place.resolve().is_relative_to(tmp_path / "prod")
    assert len(place.relative_to(tmp_path).parts) == 3


def test_through_the_local_deployer_its_lines_are_seen_live(tmp_path, place):
    deployer = LocalDeployer(tmp_path / "deployments")
    job = make_job(
        {"command": [sys.executable, "-m", "promotions.demo_service", str(tmp_path)], "directory": str(PROJECT)}
    )
    deployer.start(job)
    early = follow(deployer, job, until=lambda progress: "prod runs 2.0.0" in progress.log)
    assert early.outcome == "running"
    progress = follow(deployer, job)
    assert progress.outcome == "succeeded"
    assert progress.result == {
        "version": "2.1.0", "replaced": "2.0.0", "path": str(place / "current"), "exitCode": 0,
    }  # fmt: skip
