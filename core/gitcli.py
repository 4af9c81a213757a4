"""The git command line, for what crosses the network: no prompts, no hooks, no one's configuration, bounded in time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

LIMIT_SECONDS = 60
# What git may need from outside: where programs are, how to get out, the keys of an agent.
_PASSED_ON = (
    "PATH", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY",
    "NO_PROXY", "ALL_PROXY",
)  # fmt: skip
_FIXED = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ALLOW_PROTOCOL": "file:https:ssh",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=10",
}
_OPTIONS = (
    "-c", f"core.hooksPath={os.devnull}", "-c", "credential.helper=", "-c", "gc.auto=0", "-c", "http.followRedirects=false",
    "-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=30", "-c", "submodule.recurse=false",
)  # fmt: skip
_SECRET = re.compile(r"(?<=://)[^/@\s]*@")


class GitFailed(Exception):
    """git ended with an error; the message is its own words, without passwords."""


def run_git(repository: Path, *words: str, limit: float | None = None) -> str:
    """The standard output of `git words…` in the bare repository; GitFailed with what it complained of."""
    limit = limit or LIMIT_SECONDS
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    process = subprocess.Popen(
        ["git", f"--git-dir={repository}", *_OPTIONS, *words],
        env=environment | _FIXED | {"HOME": str(repository)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, text=True, errors="replace",
    )  # fmt: skip
    try:
        out, complaint = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        _stop(process)
        raise GitFailed(f"git {words[0]} gave no answer within {limit:.0f} seconds.") from None
    if process.returncode:
        raise GitFailed(without_secrets(_gist(complaint, out)))
    return out


def _stop(process: subprocess.Popen[str]) -> None:
    """The whole group: git leaves the talking to children such as ssh."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _gist(complaint: str, out: str) -> str:
    lines = [line for line in f"{complaint}\n{out}".splitlines() if line.strip() and not line.startswith("hint:")]
    return "\n".join(lines)[:2000] or "git failed without a word."


def without_secrets(text: str) -> str:
    """The text with user names and passwords of addresses left out."""
    return _SECRET.sub("", text)


def check_address(address: str) -> str:
    """The remote's address; GitFailed when git could take it for an option or a command."""
    if address.startswith("-") or "::" in address.partition("/")[0] or any(ord(letter) < 32 for letter in address):
        raise GitFailed("GIT_REMOTE is not the address of a repository: use a path or an https or ssh address.")
    return address
