"""The source of the house, for the tests of its shape and rules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
APPS = ("promotions", "iep", "tickets", "events", "accounts")
PACKAGES = ("config", *APPS, "core")


def modules(*places: str) -> Iterator[Path]:
    for place in places or PACKAGES:
        yield from sorted(path for path in (ROOT / place).rglob("*.py") if not _is_generated(path))


def _is_generated(path: Path) -> bool:
    return "migrations" in path.parts or "_pb2" in path.name or "vendor" in path.parts


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def told(paths: list[object]) -> str:
    return "\n".join(str(path) for path in paths)
