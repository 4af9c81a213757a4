"""Runs one playbook by ansible-runner: the program that the Ansible deployer starts, in a process of its own.

`python -m promotions.deployers.ansible_run` with {"playbook", "inventory", "limit", "extra_vars"} as JSON on standard
input. Prints what Ansible prints; writes what the playbook reported by set_stats, or the first task that failed, to
$STAGEPASS_RESULT. Exit code 0 only when at least one host was really deployed to.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

FAILURES = {"runner_on_failed", "runner_on_unreachable", "runner_item_on_failed"}


class Watcher:
    """Prints what happens; remembers the first failure and what the play reports."""

    def __init__(self) -> None:
        self.error = ""
        self.artifacts: dict[str, Any] = {}

    def __call__(self, event: dict[str, Any]) -> bool:
        if text := event.get("stdout"):
            print(text.replace("\r\n", "\n"), flush=True)  # noqa: T201 (the log of the deployment)
        data = event.get("event_data") or {}
        if event.get("event") == "playbook_on_stats":
            self.artifacts = data.get("artifact_data") or {}
        if event.get("event") in FAILURES and not data.get("ignore_errors") and not self.error:
            message = (data.get("res") or {}).get("msg") or "no message"
            self.error = f"Task {data.get('task')!r} on {data.get('host')}: {str(message)[:1000]}"
        return True


def as_inventory(given: str | None) -> str | None:
    """A path as it is; a list of hosts as the text of an inventory file, which is what ansible-runner takes."""
    if not given or Path(given).exists():
        return given
    return "".join(f"{host.strip()}\n" for host in given.split(",") if host.strip())


def play(given: dict[str, Any], folder: Path) -> tuple[int, dict[str, Any]]:
    """Run the playbook in a fresh folder; its exit code and what it reports."""
    import ansible_runner

    watcher = Watcher()
    (folder / "tmp").mkdir(parents=True)
    os.environ["ANSIBLE_LOCAL_TEMP"] = str(folder / "tmp")
    runner = ansible_runner.run(
        private_data_dir=str(folder),
        playbook=given["playbook"],
        inventory=as_inventory(given["inventory"]),
        limit=given["limit"] or None,
        extravars=given["extra_vars"],
        event_handler=watcher,
        cancel_callback=lambda: False,  # or it would install signal handlers; our runner stops the whole tree
        quiet=True,  # the watcher prints
        settings={"pexpect_timeout": 1},
    )
    if runner.rc or runner.status != "successful":
        return runner.rc or 1, {"error": watcher.error or f"Ansible ended as {runner.status} ({runner.rc})."}
    stats = runner.stats or {}
    if not stats.get("ok") and not stats.get("changed"):
        return 1, {
            "error": "No host was deployed to. Does the play's hosts pattern, with the limit, match the inventory?"
        }
    return 0, watcher.artifacts


def main() -> int:
    """Read, play, report; nothing of the folder stays, for the variables are written there."""
    given = json.load(sys.stdin)
    folder = Path.cwd() / "ansible"
    try:
        code, answer = play(given, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if place := os.environ.get("STAGEPASS_RESULT"):
        Path(place).write_text(json.dumps(answer), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
