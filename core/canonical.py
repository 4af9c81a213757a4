"""Canonical JSON and digests: the same value always gives the same bytes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from typing import Any


def _plain(value: object) -> str:
    if isinstance(value, dt.datetime):
        return utc_text(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
)  # fmt: skip


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spare spaces; times become UTC text, NaN is refused (ValueError)."""
    return _ENCODER.encode(value)


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def utc_text(moment: dt.datetime) -> str:
    """RFC 3339 in UTC with a `Z`, to the microsecond only where there is one."""
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
