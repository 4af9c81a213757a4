"""SSH signatures of commits, made and checked by ssh-keygen in the form that git knows."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pygit2
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


SIGNER = "stagepass"


class SignatureCheck:
    """Checks commit after commit, oldest first: from the first signed one on, all must be, by a key we ever used."""

    def __init__(self, repository: Path) -> None:
        self.expected = bool(settings.AUDIT_SIGNING_KEY)
        self.seen_one = False
        self.keys = known_keys(repository)

    def check(self, commit: pygit2.Commit) -> tuple[bool, str]:
        """Whether the commit is signed, and what is wrong with that (empty: nothing)."""
        signature, payload = commit.gpg_signature
        if not signature or payload is None:
            missing = self.expected and self.seen_one
            return False, "the commit is not signed, though earlier ones are" if missing else ""
        self.seen_one = True
        if not self.expected:
            return True, ""
        return True, "" if verify(signature, payload, self.keys) else "its signature is not by a key of this system"


@cache
def remember_key(repository: Path, key: str) -> None:
    """Add our public key to the repository's list, so that what it signed can be checked after it was replaced."""
    known, line = repository / "allowed_signers", _signer_line(key)
    if not known.exists() or line not in known.read_text().splitlines():
        with known.open("a") as file:
            file.write(line + "\n")


def _signer_line(key: str) -> str:
    return f'{SIGNER} namespaces="{NAMESPACE}" {public_key(key)}'


def known_keys(repository: Path) -> str:
    """Allowed signers, as ssh-keygen reads them: the present key and those of `allowed_signers` in the repository."""
    lines = []
    if settings.AUDIT_SIGNING_KEY:
        lines.append(_signer_line(settings.AUDIT_SIGNING_KEY))
    earlier = repository / "allowed_signers"
    return "\n".join([*lines, earlier.read_text() if earlier.exists() else ""]) + "\n"


def verify(signature: bytes, payload: bytes, keys: str) -> bool:
    """Whether one of the keys made the signature over the commit's text."""
    with tempfile.TemporaryDirectory(prefix="stagepass-") as place:
        allowed, given = Path(place, "keys"), Path(place, "signature")
        allowed.write_text(keys)
        given.write_bytes(signature)
        command = ["ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-I", SIGNER, "-f", str(allowed), "-s", str(given)]
        done = subprocess.run(command, input=payload, capture_output=True, timeout=LIMIT_SECONDS, check=False)
    return done.returncode == 0
