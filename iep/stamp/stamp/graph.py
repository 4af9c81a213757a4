"""The import graph that a build tool wrote down: Vite's manifest or esbuild's metafile."""

from __future__ import annotations

import json
import posixpath
from pathlib import Path
from typing import Any

from stamp.errors import Usage


def read_graph(path: Path, root: Path) -> dict[str, list[str]]:
    """Who imports what, as the service takes it: a file's path and the specifiers in it. Usage for another format."""
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


def _vite(chunks: dict[str, Any], folder: str) -> dict[str, list[str]]:
    graph = {}
    for chunk in chunks.values():
        importer = posixpath.join(folder, chunk["file"])
        targets = [*chunk.get("imports", ()), *chunk.get("dynamicImports", ())]
        graph[importer] = [
            _relative(importer, posixpath.join(folder, chunks[target]["file"]))
            for target in targets
            if target in chunks
        ]
    return graph


def _esbuild(outputs: dict[str, Any]) -> dict[str, list[str]]:
    return {
        importer: [
            each["path"] if each.get("external") else _relative(importer, each["path"])
            for each in output.get("imports", ())
        ]
        for importer, output in outputs.items()
    }


def _relative(importer: str, target: str) -> str:
    path = posixpath.relpath(target, posixpath.dirname(importer) or ".")
    return path if path.startswith(".") else f"./{path}"
