"""Named places where a test may kill the process: FAILPOINT=after_audit_commit:kill; nothing at all when unset."""

from __future__ import annotations

import os
import pathlib
import signal

_armed = os.environ.get("FAILPOINT", "")


def failpoint(name: str) -> None:
    """Die here by SIGKILL when FAILPOINT names this place; once only, if FAILPOINT_MARK names a file."""
    if not _armed or _armed.partition(":")[0] != name:
        return
    mark = os.environ.get("FAILPOINT_MARK")
    if mark:
        path = pathlib.Path(mark)
        if path.exists():
            return
        path.write_text(name)
    os.kill(os.getpid(), signal.SIGKILL)
