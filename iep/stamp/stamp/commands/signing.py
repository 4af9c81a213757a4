"""What a build server says of a build: write the manifest down, and hand it in once it is signed."""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from stamp.errors import Refused, Usage
from stamp.git import Git
from stamp.session import Session


def manifest(session: Session, output: str, checks: tuple[str, ...]) -> None:
    """The manifest of the folder at this commit, on stdout or in a file: exactly these bytes are to be signed."""
    git = Git(session.settings.root)
    head = git.head()
    if not head:
        raise Usage("A manifest names a commit, and this is no git checkout.")
    files = session.tree.files()
    told: dict[str, Any] = {"v": 1, "application": session.application, "commit": head}
    told["files"] = {file.path: file.digest for file in files}
    if checks:
        told["checks"] = dict(map(read_check, checks))
    text = json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    if not output:
        click.echo(text, nl=False)
        return
    Path(output).write_text(text, encoding="utf-8")
    data = {"manifest": output, "commit": head, "files": len(files)}
    session.out.result(data, f"{output}: {len(files)} files of {head[:10]}. Sign it, then: stamp attest {output}")


def read_check(typed: str) -> tuple[str, dict[str, Any]]:
    """`staging tests=passed` or `staging tests=failed: 3 of 412`."""
    name, equals, rest = typed.partition("=")
    word, _, detail = rest.partition(":")
    if not equals or not name.strip() or word.strip() not in {"passed", "failed"}:
        raise Usage(f"“{typed}” is no check.", hint='--check "staging tests=passed: 412 tests"')
    check: dict[str, Any] = {"passed": word.strip() == "passed"}
    return name.strip(), check | ({"detail": detail.strip()} if detail.strip() else {})


def attest(session: Session, path: str, signature: str) -> None:
    """Hand in a signed manifest; the service takes it when a key of the application signed exactly this file."""
    place, signed = Path(path), Path(signature or f"{path}.sig")
    try:
        document, proof = place.read_bytes(), read_signature(signed.read_bytes())
        text = document.decode("utf-8")
        application = str(json.loads(text)["application"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Usage(f"{path} with {signed} cannot be read as a signed manifest: {error}") from None
    if session.settings.application and session.settings.application != application:
        raise Refused(f"{path} is of {application}, not of {session.settings.application}.", code="other_application")
    if session.dry_run:
        session.out.result(
            {"dry_run": True, "application": application}, f"{path} would be handed in for {application}."
        )
        return
    body = {"document": text, "signature": base64.b64encode(proof).decode()}
    answer = session.service.post(f"/applications/{quote(application, safe='')}/manifests", body)
    taken = answer.body
    word = "is known" if answer.status == 200 else "is taken"
    words = (
        f"The manifest of {application} at {taken['commit'][:10]} {word}: {taken['files']} files, by {taken['key']}."
    )
    session.out.result({"manifest": taken}, words)


def read_signature(content: bytes) -> bytes:
    """The 64 bytes of an Ed25519 signature, raw or as base64."""
    if len(content) == 64:
        return content
    try:
        proof = base64.b64decode(content.strip(), validate=True)
    except binascii.Error:
        proof = b""
    if len(proof) != 64:
        raise ValueError("the signature is neither 64 bytes nor their base64")
    return proof
