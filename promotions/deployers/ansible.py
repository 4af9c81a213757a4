"""The deployer that runs a playbook from this machine, by ansible-runner; an optional extra (requirements-deploy.txt)."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promotions.deployers.base import DeployerRefused, Job, Progress
from promotions.deployers.runs import PROJECT, Command, Runs
from promotions.deployers.variables import environment_of, extra_vars_of

OPTIONS = {"playbook", "inventory", "limit", "extra_vars"}


class AnsibleDeployer:
    """Runs the target's `playbook` with the request in extra_vars, in a process and a folder of its own per attempt.

    Ansible is another program under another licence (GPL-3): nothing of it is imported here.
    """

    def __init__(self, directory: str | Path) -> None:
        self.runs = Runs(directory)

    def start(self, job: Job) -> str:
        """DeployerRefused when the options are wrong or Ansible is not installed."""
        if job.cancel_requested and self.runs.prevent(job.nonce):
            raise DeployerRefused("Canceled before it was started.")
        self.runs.begin(job.nonce, command_of(job))
        return f"ansible-{job.nonce}"

    def poll(self, job: Job) -> Progress:
        return self.runs.look(job.nonce, job.log_offset)

    def cancel(self, job: Job) -> None:
        self.runs.stop(job.nonce)


def command_of(job: Job) -> Command:
    """The program that runs the playbook, with all it needs on its standard input."""
    if faults := list(_faults(job.options)):
        raise DeployerRefused("The options of the deployment target are wrong. " + " ".join(faults))
    variables = extra_vars_of(job)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if importlib.util.find_spec("ansible_runner") is None or shutil.which("ansible-playbook", path=path) is None:
        raise DeployerRefused("Ansible is not installed here: pip install -r requirements-deploy.txt, then retry.")
    return Command(
        arguments=[sys.executable, "-m", "promotions.deployers.ansible_run"],
        environment=environment_of(job) | {"PATH": path, "PYTHONPATH": str(PROJECT), "LC_ALL": "C.UTF-8"},
        given={"extra_vars": variables} | {name: job.options.get(name) for name in ("playbook", "inventory", "limit")},
        time_limit=job.time_limit,
    )


def _faults(options: Any) -> Iterator[str]:
    if not isinstance(options, dict):
        yield 'They are not an object such as {"playbook": "/opt/deploy.yml"}.'
        return
    for name in sorted(options.keys() - OPTIONS):
        yield f"{name[:40]!r} is not known; known are {', '.join(sorted(OPTIONS))}."
    playbook, inventory = options.get("playbook"), options.get("inventory")
    if not isinstance(playbook, str) or not os.path.isabs(playbook) or not os.path.isfile(playbook):
        yield '"playbook" must be the absolute path of a playbook that exists.'
    if inventory is not None and (not isinstance(inventory, str) or not _is_inventory(inventory)):
        yield '"inventory" must be the absolute path of an inventory that exists, or a list of hosts such as "web-1,".'
    if not isinstance(options.get("limit", ""), str):
        yield '"limit" must be a text.'


def _is_inventory(inventory: str) -> bool:
    return "," in inventory or (os.path.isabs(inventory) and os.path.exists(inventory))
