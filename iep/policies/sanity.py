"""A command of the operators that looks at the ticket's files before they go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from django.conf import settings

from iep import storage
from iep.policies.base import Outcome, Step, Verdict

NAME = "sanity command"
SHOWN = 400


class SanityCommand:
    """Runs the command that the application's option {"command": "<name>"} chooses from SANITY_COMMANDS, without a shell.

    It starts in a folder with the ticket's files at their paths and gets {app, ticket, revision, target, removed} as JSON
    on its standard input. Exit code 0 passes; the end of its output is the reason. Several lines of IEP_POLICIES may ask for
    a command each, with {"name": "<the line's name>"} as their options there.
    """

    def __init__(self, name: str = NAME) -> None:
        self.name = name

    def check(self, step: Step) -> Verdict:
        name = step.options(self.name).get("command", "")
        command = settings.SANITY_COMMANDS.get(name)
        if not command:
            known = ", ".join(sorted(settings.SANITY_COMMANDS)) or "none"
            return Verdict(NAME, Outcome.BLOCK, f"There is no sanity command {str(name)[:60]!r}; known: {known}.")
        with tempfile.TemporaryDirectory(prefix="sanity-") as folder:
            _write_files(Path(folder), step)
            return _run(command, folder, _told(step))


def _write_files(folder: Path, step: Step) -> None:
    for path, entry in step.stamp.delta.items():
        if entry["digest"]:
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(storage.read(entry["digest"]) or b"")


def _told(step: Step) -> str:
    removed = [path for path, entry in step.stamp.delta.items() if entry["digest"] is None]
    about = {"app": step.stamp.application.slug, "ticket": step.stamp.ticket.key, "revision": step.stamp.revision}
    return json.dumps(about | {"target": step.target, "removed": removed})


def _run(command: list[str], folder: str, given: str) -> Verdict:
    """Within the time limit of policies, its children included."""
    process = subprocess.Popen(
        command, cwd=folder, env={"PATH": os.environ.get("PATH", ""), "HOME": folder, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(given, timeout=settings.IEP_POLICY_SECONDS * 0.9)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Verdict(NAME, Outcome.BLOCK, f"{command[0]} took too long and was stopped.")
    gist = " ".join(said.split())[-SHOWN:]
    if process.returncode:
        return Verdict(NAME, Outcome.BLOCK, gist or f"{command[0]} ended with {process.returncode}.")
    return Verdict(NAME, Outcome.PASS, gist or "It found nothing.")
