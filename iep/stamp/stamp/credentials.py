"""Tokens of this user, one per server, in a file that nobody else can read."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from stamp.errors import Failed, NotLoggedIn
from stamp.settings import user_folder


def path() -> Path:
    return user_folder() / "credentials.json"


def token_for(server: str) -> str:
    """STAMP_TOKEN, or what `stamp login` kept for this server; NotLoggedIn when there is neither."""
    token = os.environ.get("STAMP_TOKEN", "").strip() or known(server).get("token", "")
    if not token:
        raise NotLoggedIn(f"You are not logged in at {server}.", hint="Run `stamp login`, or set STAMP_TOKEN.")
    return str(token)


def known(server: str) -> dict[str, Any]:
    """What is kept for a server; empty when nothing is."""
    return dict(_read().get(server, {}))


def keep(server: str, entry: dict[str, Any]) -> Path:
    """Remember the entry for this server."""
    return _write({**_read(), server: entry})


def forget(server: str) -> bool:
    """Drop the server's entry; whether there was one."""
    kept = _read()
    if server not in kept:
        return False
    del kept[server]
    _write(kept)
    return True


def _read() -> dict[str, Any]:
    place = path()
    try:
        if os.name == "posix" and place.stat().st_mode & 0o077:
            place.chmod(0o600)
        return dict(json.loads(place.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Failed(f"{place} cannot be read: {error}", hint="Delete it and log in again.") from None


def _write(entries: dict[str, Any]) -> Path:
    """Written beside and renamed into place, so that it is never half there; readable by its owner from the first byte."""
    place = path()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=".credentials-")  # made with mode 600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(entries, file, indent=1)
            file.write("\n")
        os.replace(name, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    return place
