"""Playbooks by ansible-runner, for real where the optional extra is installed."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest

from promotions.deployers import trees
from promotions.deployers.ansible import AnsibleDeployer
from promotions.deployers.base import DeployerRefused
from tests.promotions.deployers.jobs import document, follow, make_job

needs_ansible = pytest.mark.skipif(
    importlib.util.find_spec("ansible_runner") is None,
    reason="the optional extra is not installed: pip install -r requirements-deploy.txt",
)

PLAY = """
- name: Deploy
  hosts: all
  connection: local
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
"""


@pytest.fixture
def deployer(tmp_path) -> AnsibleDeployer:
    return AnsibleDeployer(tmp_path / "deployments")


@pytest.fixture
def playbook(tmp_path):
    def write(tasks: str, play: str = PLAY) -> dict:
        path = tmp_path / "deploy.yml"
        path.write_text(play + tasks)
        return {"playbook": str(path), "inventory": "web-1,web-2,"}

    return write


@pytest.mark.skipif(importlib.util.find_spec("ansible_runner") is not None, reason="the extra is installed")
def test_without_the_extra_it_says_how_to_get_it(deployer, playbook):
    with pytest.raises(DeployerRefused, match=r"pip install -r requirements-deploy\.txt"):
        deployer.start(make_job(playbook("")))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "not an object"),
        ({}, '"playbook" must be'),
        ({"playbook": "deploy.yml"}, '"playbook" must be'),
        ({"playbook": "/no/such.yml"}, '"playbook" must be'),
        ({"playbook": "/dev/null", "inventory": "/no/such/hosts"}, '"inventory" must be'),
        ({"playbook": "/dev/null", "inventory": ["a"]}, '"inventory" must be'),
        ({"playbook": "/dev/null", "limit": 1}, '"limit" must be'),
        ({"playbook": "/dev/null", "tags": "x"}, "'tags' is not known"),
    ],
)
def test_wrong_options_are_refused(deployer, options, says):
    with pytest.raises(DeployerRefused) as refusal:
        deployer.start(make_job(options))
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("extra_vars", "says"),
    [([1], "must be an object"), ({"a": "{{ 1 }}"}, "a contains {{"), ({"version": "1"}, "version")],
)
def test_wrong_variables_are_refused(deployer, playbook, extra_vars, says):
    with pytest.raises(DeployerRefused) as refusal:
        deployer.start(make_job(playbook("") | {"extra_vars": extra_vars}))
    assert says in str(refusal.value)


@needs_ansible
def test_a_playbook_is_told_the_request_and_reports_back(deployer, playbook):
    options = playbook(
        "    - ansible.builtin.debug: {msg: '{{ target_name }} {{ version }} for {{ tenant }}, {{ colour }}'}\n"
        "    - ansible.builtin.set_stats: {data: {deployed_version: '{{ version }}'}}\n"
    )
    job = make_job(options | {"limit": "web-1", "extra_vars": {"colour": "blue"}})
    assert deployer.start(job) == f"ansible-{job.nonce}"
    progress = follow(deployer, job)
    assert (progress.outcome, progress.error) == ("succeeded", ""), progress.log
    assert progress.result == {"deployed_version": "2.1.0", "exitCode": 0}
    assert "payment-api 2.1.0 for tenant-finance, blue" in progress.log
    assert "web-2" not in progress.log
    assert progress.log.startswith("\nPLAY [Deploy] ***")
    assert "\r" not in progress.log
    place = deployer.runs.directory / job.nonce
    assert not list((place / "work").iterdir())  # no variables are left in files


@needs_ansible
def test_the_failing_task_is_the_reason(deployer, playbook):
    options = playbook(
        "    - {name: May fail, ansible.builtin.command: /bin/false, ignore_errors: true}\n"
        "    - {name: Check its health, ansible.builtin.fail: {msg: version 2.1.0 is not healthy}}\n"
    )
    job = make_job(options | {"limit": "web-1"})
    deployer.start(job)
    progress = follow(deployer, job)
    assert progress.outcome == "failed"
    assert progress.error.startswith("Task 'Check its health' on web-1: version 2.1.0 is not healthy (Exit code 2")


@needs_ansible
@pytest.mark.parametrize("limit", [None, "nobody"])
def test_a_play_that_reaches_no_host_is_no_success(deployer, playbook, limit):
    options = playbook("    - ansible.builtin.ping:\n", PLAY.replace("hosts: all", "hosts: somewhere-else"))
    job = make_job(options | ({"limit": limit} if limit else {}))
    deployer.start(job)
    progress = follow(deployer, job)
    assert progress.outcome == "failed"
    assert progress.result["exitCode"] != 0


@needs_ansible
def test_cancel_ends_the_task_too(deployer, playbook, tmp_path):
    started = tmp_path / "started"
    options = playbook(f"    - ansible.builtin.shell: 'touch {started}; sleep 300'\n")
    job = make_job(options | {"limit": "web-1"})
    deployer.start(job)
    end = time.monotonic() + 30
    while not started.exists():
        assert time.monotonic() < end, deployer.poll(job)
        time.sleep(0.1)
    deployer.cancel(job)
    assert follow(deployer, job).outcome == "canceled"
    assert not trees.marked(f"STAGEPASS_NONCE={job.nonce}")
    asleep = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(started).encode() in _read(path)]
    assert not asleep


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@needs_ansible
def test_what_a_requester_writes_is_not_run(deployer, playbook, tmp_path):
    job = make_job(
        playbook("    - ansible.builtin.debug: {msg: '{{ target_name }}'}\n"), request=document(name="a{{ 7*7 }}")
    )
    with pytest.raises(DeployerRefused, match="target_name contains"):
        deployer.start(job)
