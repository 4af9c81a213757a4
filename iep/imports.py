"""Who imports whom: specifiers of a module's source, parsed once per file in a task, never while a page is served.

Only for advice (a direct dependency changed in production, what to load early): that a ticket's file is reached never
depends on it. The parser is tree-sitter's; it is loaded where it is needed, which the web processes never do.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

# Parsing takes some 90 times the file's size in memory while it lasts.
LONGEST = 1024 * 1024
QUERY = """
(import_statement source: (string) @static)
(export_statement source: (string) @static)
(call_expression function: (import) arguments: (arguments . [(string) (template_string)] @lazy . ))
"""


@dataclass(frozen=True, slots=True)
class Imports:
    """Literal specifiers in their order, each once; `lazy` are those that only import() names."""

    all: list[str] = field(default_factory=list)
    lazy: list[str] = field(default_factory=list)


def read_imports(source: bytes) -> Imports:
    """What import and export statements and import() name literally; nothing of a file that is too long to be parsed."""
    if len(source) > LONGEST or (b"import" not in source and b"export" not in source):
        return Imports()
    from tree_sitter import QueryCursor

    parser, query = _parser()
    found = QueryCursor(query).captures(parser.parse(source).root_node)
    static = {text for node in found.get("static", ()) if (text := _literal(node))}
    places = sorted((node for nodes in found.values() for node in nodes), key=lambda node: node.start_byte)
    every = list(dict.fromkeys(text for node in places if (text := _literal(node))))
    return Imports(every, [text for text in every if text not in static])


@cache
def _parser() -> tuple[Any, Any]:
    import tree_sitter_javascript
    from tree_sitter import Language, Parser, Query

    language = Language(tree_sitter_javascript.language())
    return Parser(language), Query(language, QUERY)


def _literal(node: Any) -> str:
    """The specifier in quotes; empty for a template with a hole in it, which is known only when it runs."""
    if any(child.type == "template_substitution" for child in node.children):
        return ""
    return str(node.text[1:-1].decode("utf-8", "replace"))


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
