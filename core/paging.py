"""Keyset paging, newest first: page 10,000 costs what page 1 costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and the key values that lead to older and newer ones; empty where there are none."""

    rows: list[Any]
    older: str = ""
    newer: str = ""

    def __bool__(self) -> bool:
        return bool(self.rows)


def page_of(rows: QuerySet[Any], query: Mapping[str, str], *, size: int = 30, key: str = "pk") -> Page:
    """The page that `before=` or `after=` in `query` asks for; a value that is no key means the newest page."""
    before, after = read_key(query.get("before")), read_key(query.get("after"))
    if after is not None:
        found = list(rows.filter(**{f"{key}__gt": after}).order_by(key)[: size + 1])
        more = len(found) > size
        found = found[:size][::-1]
        return Page(found, older=_end(found, -1, key), newer=_end(found, 0, key) if more else "")
    if before is not None:
        rows = rows.filter(**{f"{key}__lt": before})
    found = list(rows.order_by(f"-{key}")[: size + 1])
    more = len(found) > size
    found = found[:size]
    return Page(found, older=_end(found, -1, key) if more else "", newer=_end(found, 0, key) if before else "")


def read_key(text: str | None) -> int | None:
    """The key value in a URL, None for none or for one that cannot be."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def _end(rows: list[Any], index: int, key: str) -> str:
    return str(getattr(rows[index], key)) if rows else ""
