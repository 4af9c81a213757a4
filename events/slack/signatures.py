"""Whether a call really comes from Slack: its signature over the raw bytes, and its age."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

WINDOW_SECONDS = 300
TIME_HEADER, SIGNATURE_HEADER = "X-Slack-Request-Timestamp", "X-Slack-Signature"


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Version 0 of Slack's signature."""
    return "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()


def is_genuine(secrets: Iterable[str], timestamp: str, signature: str, body: bytes, at: float) -> bool:
    """Signed by one of the secrets, at most five minutes ago or ahead."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        return False
    if abs(at - int(timestamp)) > WINDOW_SECONDS:
        return False
    matches = [
        hmac.compare_digest(sign(secret, timestamp, body).encode(), signature.encode()) for secret in secrets if secret
    ]
    return any(matches)
