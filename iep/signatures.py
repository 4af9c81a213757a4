"""Manifests that a build server signed: read strictly, verified against an Ed25519 public key."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInput
from iep.validation import MAX_FILES, is_digest

MAX_DOCUMENT = 1536 * 1024
MOST_CHECKS, LONGEST_WORD, LONGEST_DETAIL = 20, 60, 300
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_KEYS = {"v", "application", "commit", "files", "checks"}


@dataclass(frozen=True, slots=True)
class Statement:
    """What was signed: these files were built from this commit of the application, and these checks passed or did not."""

    application: str
    commit: str
    files: dict[str, str]
    checks: dict[str, dict[str, Any]]


def read_public_key(text: str) -> str:
    """The key's 32 bytes as hexadecimal digits, from PEM, base64 or those digits; InvalidInput for anything else."""
    text = text.strip()
    if text.startswith("-----"):
        return _from_pem(text)
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return text.lower()
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise _no_key()
    return raw.hex()


def _from_pem(text: str) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    try:
        key = load_pem_public_key(text.encode())
    except Exception as error:  # whatever cryptography makes of bytes that are no key
        raise _no_key() from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _no_key() -> InvalidInput:
    sentence = "Give an Ed25519 public key, such as `openssl pkey -in ci.key -pubout` prints it."
    return InvalidInput({"public_key": [sentence]})


def verifies(public_key: str, signature: bytes, document: bytes) -> bool:
    """Whether the signature is this key's over exactly these bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, document)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_statement(document: bytes) -> Statement:
    """The manifest's content; InvalidInput says what is wrong with it."""
    if len(document) > MAX_DOCUMENT:
        raise _wrong(f"it has more than {MAX_DOCUMENT} bytes")
    try:
        told = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise _wrong("it is not JSON") from error
    if not isinstance(told, dict) or set(told) - _KEYS or told.get("v") != 1:
        raise _wrong('it is an object with "v": 1, "application", "commit", "files" and, if there were any, "checks"')
    commit, files, checks = told.get("commit"), told.get("files"), told.get("checks", {})
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise _wrong('"commit" is the whole id of a commit')
    if not isinstance(files, dict) or len(files) > MAX_FILES or not all(map(is_digest, files.values())):
        raise _wrong(f'"files" gives each path its SHA-256, {MAX_FILES} at most')
    if not isinstance(checks, dict) or len(checks) > MOST_CHECKS or not all(map(_is_check, checks.items())):
        raise _wrong('"checks" gives each name {"passed": true or false, "detail": "a few words"}')
    return Statement(str(told.get("application", "")), commit, files, checks)


def _is_check(item: tuple[str, Any]) -> bool:
    name, check = item
    if not isinstance(check, dict) or set(check) - {"passed", "detail"} or len(name) > LONGEST_WORD:
        return False
    detail = check.get("detail", "")
    return isinstance(check.get("passed"), bool) and isinstance(detail, str) and len(detail) <= LONGEST_DETAIL


def _wrong(why: str) -> InvalidInput:
    return InvalidInput({"document": [f"The manifest cannot be used: {why}."]})
