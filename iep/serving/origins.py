"""Which other sites' pages may load an application's modules: its allowed origins, read again every few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterable

from iep.models import Application
from iep.serving.files import GUARDED

FRESH, MOST = 5.0, 500
EVERY_SITE = "*"
_known: dict[str, tuple[float, frozenset[str]]] = {}


def is_foreign(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the request may come from a page of another origin: then its answer has to say that this is allowed."""
    for name, value in headers:
        if name == b"origin" or (name == b"sec-fetch-site" and value in {b"cross-site", b"same-site"}):
            return True
    return False


def origin_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == b"origin"), "")


def known_origins(app: str) -> frozenset[str] | None:
    """The application's allowed origins without asking the database; None when that is due."""
    since, origins = _known.get(app, (0.0, frozenset()))
    return origins if since and time.monotonic() - since < FRESH else None


def read_origins(app: str) -> frozenset[str]:
    """The same from the database."""
    row = Application.objects.filter(slug=app).values_list("allowed_origins", flat=True).first()
    if len(_known) >= MOST:
        _known.clear()
    origins = frozenset(row or ())
    _known[app] = time.monotonic(), origins
    return origins


def headers_for(origins: frozenset[str], origin: str) -> dict[str, str]:
    """The guarded headers of a file, opened for the page that asks where the application allows its origin."""
    headers = GUARDED | {"Vary": "Origin"}
    if not origins:
        return headers
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if EVERY_SITE in origins:
        headers["Access-Control-Allow-Origin"] = EVERY_SITE
    elif origin in origins:
        headers["Access-Control-Allow-Origin"] = origin
    return headers
