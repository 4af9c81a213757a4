"""Full-text search as people type it: every word, the last letters of each may still be missing."""

from __future__ import annotations

import re

from django.contrib.postgres.search import SearchQuery

# What would end a quoted word of a tsquery, or is refused by the database.
_UNQUOTABLE = re.compile(r"['\\\x00]")


def prefix_query(text: str) -> SearchQuery | None:
    """A query for all words of `text` as prefixes, None when it holds no word.

    Each word is left to the database's own parser, so that names with dashes and numbers are cut as in the index.
    """
    words = [_UNQUOTABLE.sub("", word) for word in text.split()]
    words = [word for word in words if re.search(r"\w", word)]
    if not words:
        return None
    return SearchQuery(" & ".join(f"'{word}':*" for word in words), search_type="raw", config="simple")
