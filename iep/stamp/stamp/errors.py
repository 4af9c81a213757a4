"""What can stop a command, with the exit code that scripts read."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """The exit codes; docs/stamp.md explains each."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    LOGIN = 3
    UNKNOWN = 4
    CONFLICT = 5
    POLICY = 6
    AWAY = 7
    INTERRUPTED = 130


class Stop(Exception):
    """The command ends here: what happened, what to do about it, and further lines such as verdicts."""

    exit = Exit.FAILED

    def __init__(
        self, message: str, *, hint: str = "", code: str = "", lines: Sequence[str] = (), details: Any = None
    ) -> None:
        super().__init__(message)
        self.message, self.hint, self.code, self.lines, self.details = message, hint, code, tuple(lines), details


class Failed(Stop):
    """Something that no other kind names."""


class Usage(Stop):
    """The command was given something that cannot be right."""

    exit = Exit.USAGE


class NotLoggedIn(Stop):
    """No token, a token that is no longer good, or no right to do this."""

    exit = Exit.LOGIN


class Unknown(Stop):
    """No such ticket or application, or none that this person may see."""

    exit = Exit.UNKNOWN


class Conflict(Stop):
    """Somebody else was faster, or the ticket is in another stage."""

    exit = Exit.CONFLICT


class Refused(Stop):
    """A policy says no: git, a check, a missing approval."""

    exit = Exit.POLICY


class Away(Stop):
    """The server does not answer, or asks to come back later."""

    exit = Exit.AWAY
    retry_after: float = 0.0
