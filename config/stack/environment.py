"""The addresses and secrets of the running stack: made once, handed down to its processes, found by other terminals."""

import fcntl
import json
import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from config.stack import processes

ROOT = Path(__file__).parents[2]
# What a second terminal needs to know of the first one's environment, by the beginning of the name.
PASSED_ON = (
    *("SECRET_KEY", "DATABASE_URL", "BROKER_URL", "CACHE_URL", "EMAIL_", "ALLOWED_HOSTS", "DJANGO_", "STAGEPASS_"),
    *("GIT_REMOTE", "GIT_AUTHOR_DOMAIN", "GIT_SIGNING_KEY", "AWX_", "SSO_", "MFA", "OPS_EMAILS", "PROMOTION_", "LOG_"),
    *("BLOBS_", "AWS_", "IEP_"),
    *("BREAK_GLASS_", "LIVE_", "TRACKER_", "METRICS_", "SLACK_", "KAFKA_", "WEBHOOK_", "SENTRY_DSN", "OTEL_"),
    *("RECEIVED_", "DEAD_LETTER_", "OUTSIDE_"),
)


def default_state() -> Path:
    """The state directory: STAGEPASS_STATE or `var` in the checkout."""
    return Path(os.environ.get("STAGEPASS_STATE") or ROOT / "var").absolute()


def load(state: Path | None = None) -> bool:
    """Let this process join the running stack: set what is not set yet; False when there is none to join.

    For `manage.py`, before it chooses settings. Does nothing when DJANGO_SETTINGS_MODULE is set: tests and
    production say themselves what they use.
    """
    if "DJANGO_SETTINGS_MODULE" in os.environ:
        return False
    values = read(state or default_state())
    for name, value in values.items():
        os.environ.setdefault(name, value)
    return bool(values)


def read(state: Path) -> dict[str, str]:
    """The environment of the stack that runs in this state directory, empty when none runs."""
    if not is_running(state):
        return {}
    try:
        return dict(json.loads((state / "environment.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write(state: Path, values: Mapping[str, str]) -> None:
    """Write the environment for other terminals: what the stack sets, and what its user had set for it."""
    inherited = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    inherited.pop("STAGEPASS_VENV", None)
    processes.write_private(state / "environment.json", json.dumps({**inherited, **values}, indent=1) + "\n")


def export_lines(values: Mapping[str, str]) -> str:
    """The environment as shell commands."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(values.items()))


def load_secrets(state: Path) -> dict[str, str]:
    """The secrets of this state directory; missing ones are made, once."""
    path = state / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    missing = {
        name: secrets.token_urlsafe(48)
        for name in ("SECRET_KEY", "AWX_TOKEN", "AWX_WEBHOOK_SECRETS", "SLACK_TOKEN", "SLACK_SIGNING_SECRETS")
        if name not in known
    }
    if missing:
        processes.write_private(path, json.dumps({**known, **missing}, indent=1) + "\n")
    return {**known, **missing}


def take_lock(state: Path, patience: float = 0.0) -> "IO[str] | None":
    """The right to run in this state directory, held while the file is open; None when somebody has it."""
    state.mkdir(parents=True, exist_ok=True)
    file = (state / "lock").open("a+", encoding="utf-8")
    if processes.wait_until(lambda: _locked(file), timeout=patience):
        return file
    file.close()
    return None


def _locked(file: "IO[str]") -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_running(state: Path) -> bool:
    """Whether a supervisor holds this state directory."""
    if not (state / "lock").exists():
        return False
    lock = take_lock(state)
    if lock:
        lock.close()
    return lock is None
