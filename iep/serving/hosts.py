"""Previews on hosts of their own: TKT-001 at tkt-001.<IEP_PREVIEW_HOST>, apart from production's cookies and storage."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from starlette.types import ASGIApp, Receive, Scope, Send

from iep.models import SLUG

BETWEEN = "--"
LONGEST = 63  # of a label in a host's name
# What a preview's host answers: pages, their files, maps. No console, no API, no log-in.
_ANSWERED = re.compile(rf"/apps/.*|/iep/(?:m|map)/.*|/iep/{SLUG}/map\.(?:json|js)|/static/iep/.*")
NOTHING = b"There is nothing at this address.\n"


def is_on() -> bool:
    return bool(settings.PREVIEW_HOST)


def label_of(keys: Sequence[str]) -> str:
    """tkt-001 for TKT-001, tkt-001--tkt-007 for both; an underscore, which a host's name has not, is a dash more."""
    label = BETWEEN.join(key.lower().replace("_", "-") for key in keys)
    if len(label) <= LONGEST:
        return label
    return f"{label[:40]}{BETWEEN}{hashlib.sha256(label.encode()).hexdigest()[:12]}"


def label_in(host: str) -> str | None:
    """Which preview a host name is of; None for the site's own."""
    name, base = _name(host), _name(settings.PREVIEW_HOST)
    label = name.removesuffix(f".{base}") if base and name.endswith(f".{base}") else ""
    return label if label and "." not in label else None


def _name(host: str) -> str:
    """Without its port: proxies listen on another one than people see."""
    return host.lower().partition(":")[0]


def address_of(keys: Sequence[str]) -> str:
    """The preview's site, such as https://tkt-001.preview.example.com."""
    site = urlsplit(settings.SITE_URL)
    host = settings.PREVIEW_HOST
    port = f":{site.port}" if site.port and ":" not in host else ""
    return f"{site.scheme}://{label_of(keys)}.{host}{port}"


class PreviewHosts:
    """In front of everything: on a preview's host only what previews are made of is answered, and only read."""

    def __init__(self, behind: ASGIApp) -> None:
        self.behind = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not settings.PREVIEW_HOST or scope["type"] == "lifespan" or not _is_preview(scope) or _is_answered(scope):
            await self.behind(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 404, "headers": headers})
            await send({"type": "http.response.body", "body": NOTHING})


def _is_answered(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} and bool(_ANSWERED.fullmatch(scope["path"]))


def _is_preview(scope: Scope) -> bool:
    """By its ending alone: a label that names nothing is still no part of the site."""
    host = _name(next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1"))
    base = _name(settings.PREVIEW_HOST)
    return host == base or host.endswith(f".{base}")
