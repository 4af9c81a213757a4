"""SSH signatures of commits, made and checked by ssh-keygen in the form that git knows."""

from __future__ import annotations

import subprocess
from pathlib import Path

from django.conf import settings

NAMESPACE = "git"
LIMIT_SECONDS = 20


class SigningFailed(Exception):
    """ssh-keygen did not sign; its words say why."""


def sign(payload: str) -> str:
    """The armoured signature of the commit's text by AUDIT_SIGNING_KEY; SigningFailed with the reason."""
    command = ["ssh-keygen", "-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(settings.AUDIT_SIGNING_KEY)]
    done = subprocess.run(command, input=payload.encode(), capture_output=True, timeout=LIMIT_SECONDS, check=False)
    if done.returncode:
        raise SigningFailed(f"The commit could not be signed: {done.stderr.decode(errors='replace').strip()[:300]}")
    return done.stdout.decode()


def public_key(key: str | Path) -> str:
    """The public half of a private key file: type and base64, without a comment."""
    done = subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", str(key)], capture_output=True, timeout=LIMIT_SECONDS, check=False
    )
    if done.returncode:
        raise SigningFailed(f"{key} is no usable key: {done.stderr.decode(errors='replace').strip()[:300]}")
    return " ".join(done.stdout.decode().split()[:2])
