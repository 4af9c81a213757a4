"""Secrets of webhook endpoints: made, kept encrypted under the site's key, and used to sign as Standard Webhooks says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

PREFIX = "whsec_"


def make_secret() -> str:
    """A new secret as its owner gets to see it, once."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def _lock() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    made = [base64.urlsafe_b64encode(hashlib.sha256(b"stagepass.webhooks\0" + key.encode()).digest()) for key in keys]
    return MultiFernet([Fernet(key) for key in made])


def seal(secret: str) -> str:
    """Encrypted, as the database keeps it."""
    return _lock().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """The secret again; empty when the site's key and all its fallbacks have changed since."""
    try:
        return _lock().decrypt(sealed.encode()).decode()
    except InvalidToken:
        return ""


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature of `webhook-signature`: v1 and the HMAC over id, time and body."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
