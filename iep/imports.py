"""Who imports whom: specifiers of a module's source, read once per file in a task; nothing is served by them.

Only for advice (a direct dependency changed in production, who is hit): that a ticket's file is reached never depends on it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

LONGEST = 2 * 1024 * 1024
_COMMENT_OR_TEXT = re.compile(
    r"""//[^\n]*|/\*.*?\*/|`(?:\\.|[^`\\])*`|(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""", re.DOTALL
)
_IMPORT = re.compile(r"""(?:\bimport\s*\(\s*|\bfrom\s*|\bimport\s*)$""")


def read_imports(source: bytes) -> list[str]:
    """The literal specifiers of import and export statements and of import(), in order, each once."""
    if len(source) > LONGEST:
        return []
    text = source.decode("utf-8", "replace")
    found: dict[str, None] = {}
    for piece in _COMMENT_OR_TEXT.finditer(text):
        if piece["text"] and _IMPORT.search(text, max(0, piece.start() - 40), piece.start()):
            found[piece["text"][1:-1]] = None
    return list(found)


def targets(path: str, specifiers: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """The application's paths that these specifiers of `path` lead to; `names` are its bare specifiers."""
    found = []
    for specifier in specifiers:
        if specifier.startswith(("./", "../")):
            found.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), specifier)))
        elif specifier in names:
            found.append(names[specifier].removeprefix("./"))
        else:
            fitting = [name for name in names if name.endswith("/") and specifier.startswith(name)]
            if fitting:
                name = max(fitting, key=len)
                found.append(names[name].removeprefix("./") + specifier[len(name) :])
    return found
