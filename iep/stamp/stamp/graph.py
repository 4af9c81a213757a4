"""The import graph that a build tool wrote down: Vite's manifest or esbuild's metafile."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stamp.errors import Usage


@dataclass(frozen=True)
class Graph:
    """By a file's path the specifiers in it, as the service takes them; `lazy` are those that import() alone names."""

    imports: dict[str, list[str]] = field(default_factory=dict)
    lazy: dict[str, list[str]] = field(default_factory=dict)

    def add(self, importer: str, static: Iterable[str], lazy: Iterable[str]) -> None:
        first = list(dict.fromkeys(static))
        later = [each for each in dict.fromkeys(lazy) if each not in first]
        self.imports[importer] = first + later
        if later:
            self.lazy[importer] = later


def read_graph(path: Path, root: Path) -> Graph:
    """Who imports what. Usage for another format."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        folder = _output_folder(path).resolve().relative_to(root.resolve()).as_posix()
    except (OSError, ValueError) as error:
        raise Usage(f"{path} cannot be read as a build manifest: {error}") from None
    if isinstance(told, dict) and isinstance(told.get("outputs"), dict):
        return _esbuild(told["outputs"])
    if isinstance(told, dict) and all(isinstance(each, dict) and "file" in each for each in told.values()):
        return _vite(told, "" if folder == "." else folder)
    raise Usage(f"{path} is neither Vite's manifest.json nor esbuild's metafile.")


def _output_folder(path: Path) -> Path:
    return path.parent.parent if path.parent.name == ".vite" else path.parent


def _vite(chunks: dict[str, Any], folder: str) -> Graph:
    graph = Graph()
    for chunk in chunks.values():
        importer = posixpath.join(folder, chunk["file"])
        static, lazy = (
            [
                _relative(importer, posixpath.join(folder, chunks[target]["file"]))
                for target in chunk.get(kind, ())
                if target in chunks
            ]
            for kind in ("imports", "dynamicImports")
        )
        graph.add(importer, static, lazy)
    return graph


def _esbuild(outputs: dict[str, Any]) -> Graph:
    graph = Graph()
    for importer, output in outputs.items():
        named: dict[bool, list[str]] = {True: [], False: []}
        for each in output.get("imports", ()):
            target = each["path"] if each.get("external") else _relative(importer, each["path"])
            named[each.get("kind") == "dynamic-import"].append(target)
        graph.add(importer, named[False], named[True])
    return graph


def _relative(importer: str, target: str) -> str:
    path = posixpath.relpath(target, posixpath.dirname(importer) or ".")
    return path if path.startswith(".") else f"./{path}"
