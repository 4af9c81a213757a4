"""The deployer that runs a command on this machine: the tenant's own script, fed with the request."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promotions.deployers.base import DeployerRefused, Job, Progress
from promotions.deployers.runs import Command, Runs
from promotions.deployers.variables import environment_of

OPTIONS = {"command", "environment", "directory"}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class LocalDeployer:
    """Runs the target's `command` without a shell, in a session of its own, beside us: it outlives the worker.

    The request is its standard input as JSON, STAGEPASS_* variables say the same for shell scripts. What it prints is the
    log, exit code 0 is success, a JSON object in the file $STAGEPASS_RESULT is kept as the result, its "error" as the reason
    of a failure. Whatever it leaves
    running is stopped when it ends: hand services to a service manager.
    """

    def __init__(self, directory: str | Path) -> None:
        self.runs = Runs(directory)

    def start(self, job: Job) -> str:
        """DeployerRefused when the target's options do not say what to run."""
        if job.cancel_requested and self.runs.prevent(job.nonce):
            raise DeployerRefused("Canceled before it was started.")
        self.runs.begin(job.nonce, command_of(job))
        return f"local-{job.nonce}"

    def poll(self, job: Job) -> Progress:
        return self.runs.look(job.nonce, job.log_offset)

    def cancel(self, job: Job) -> None:
        self.runs.stop(job.nonce)


def command_of(job: Job) -> Command:
    """The command that the target's options configure; DeployerRefused names every fault."""
    options = job.options
    if faults := list(_faults(options)):
        raise DeployerRefused("The options of the deployment target are wrong. " + " ".join(faults))
    directory = options.get("directory")
    return Command(
        arguments=options["command"],
        environment=options.get("environment", {}) | environment_of(job),
        given=job.request,
        directory=Path(directory) if directory else None,
        time_limit=job.time_limit,
    )


def _faults(options: Any) -> Iterator[str]:
    """A sentence for each fault."""
    if not isinstance(options, dict):
        yield 'They are not an object such as {"command": ["/opt/deploy.sh"]}.'
        return
    for name in sorted(options.keys() - OPTIONS):
        yield f"{name[:40]!r} is not known; known are {', '.join(sorted(OPTIONS))}."
    yield from _faults_of_environment(options.get("environment", {}))
    yield from _faults_of_directory(options.get("directory", ""))
    yield from _faults_of_command(options.get("command"), options.get("directory"), options.get("environment"))


def _faults_of_command(command: Any, directory: Any, environment: Any) -> Iterator[str]:
    if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
        yield '"command" must be a list of texts: the program and its arguments, such as ["/opt/deploy.sh", "prod"].'
        return
    if not command[0] or any("\0" in word for word in command):
        yield '"command" must name a program and may not contain a null character.'
        return
    path = environment.get("PATH") if isinstance(environment, dict) else None
    program = command[0]
    if "/" in program and not os.path.isabs(program) and isinstance(directory, str):
        program = os.path.join(directory, program)
    if shutil.which(program, path=path if isinstance(path, str) else None) is None:
        yield f"There is no program {command[0][:200]!r} that can be run on this machine."


def _faults_of_environment(environment: Any) -> Iterator[str]:
    if not isinstance(environment, dict):
        yield '"environment" must be an object of texts.'
        return
    for name, value in environment.items():
        if not _VARIABLE.fullmatch(name) or name.startswith("STAGEPASS_"):
            yield f"{name[:40]!r} in environment is not a variable that may be set."
        if not isinstance(value, str) or "\0" in value:
            yield f"The value of {name[:40]!r} in environment must be a text."


def _faults_of_directory(directory: Any) -> Iterator[str]:
    if not isinstance(directory, str) or "\0" in directory:
        yield '"directory" must be a text.'
    elif directory and not (os.path.isabs(directory) and os.path.isdir(directory)):
        yield f'"directory" must be an absolute path of a folder that exists; {directory[:200]!r} is not.'
