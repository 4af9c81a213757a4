"""How files of applications are answered: by their type, never sniffed, never as a page."""

from __future__ import annotations

from iep.validation import TYPES, ending

IMMUTABLE = "public, max-age=31536000, immutable"
GUARDED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def type_of(path: str) -> str | None:
    """The media type by the path's ending; None for what is not served."""
    return TYPES.get(ending(path))
