"""A repository of its own for each test, and git to look into it from outside."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from events import outbox
from events.models import Delivery


@pytest.fixture
def repository(tmp_path: Path, settings) -> Path:
    """Where the audit repository is made."""
    settings.AUDIT_REPOSITORY = tmp_path / "audit.git"
    settings.AUDIT_REMOTE = ""
    settings.AUDIT_SIGNING_KEY = ""
    return settings.AUDIT_REPOSITORY


@pytest.fixture
def git() -> Callable[..., str]:
    """Run git as a person would; the answer without the last line break."""

    def run(where: Path | str, *words: str, ok: bool = True, given: str | None = None) -> str:
        who = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in {"NAME": "Somebody", "EMAIL": "somebody@example.com"}.items()
        }
        done = subprocess.run(
            ["git", "-C", str(where), "-c", "safe.directory=*", *words],
            env=os.environ | who | {"GIT_CONFIG_GLOBAL": "/dev/null"},
            capture_output=True, text=True, input=given, check=False,
        )  # fmt: skip
        assert not ok or done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    return run


def deliver() -> None:
    """Record everything that is waiting, also what was postponed."""
    outbox.route_facts()
    Delivery.objects.filter(channel="audit").unfinished().update(next_at="2000-01-01T00:00:00Z")
    outbox.deliver_channel("audit")
