"""What a page loads at once: the modules that its entry reaches by import statements, as far as the graph is read."""

from __future__ import annotations

from collections.abc import Iterable

from iep.imports import targets
from iep.maps import Files, specifiers_of
from iep.models import Application, Blob
from iep.validation import ending

MOST, DEEPEST = 100, 8


def loaded_at_once(application: Application, files: Files, entries: Iterable[str]) -> tuple[list[str], bool]:
    """Paths in the order in which a browser finds them, 100 at most; and whether every file on the way was read yet."""
    names = specifiers_of(files).get("imports", {})
    found: dict[str, None] = {}
    complete = True
    level = _new(targets("", entries, names), files, found)
    for _ in range(DEEPEST):
        if not level:
            break
        found |= dict.fromkeys(level)
        read = _static(application, {files[path] for path in level})
        complete = complete and all(files[path] in read for path in level)
        following = [target for path in level for target in targets(path, read.get(files[path], ()), names)]
        level = _new(following, files, found)
    return list(found)[:MOST], complete


def _new(paths: Iterable[str], files: Files, found: dict[str, None]) -> list[str]:
    return [path for path in dict.fromkeys(paths) if path in files and path not in found and _is_module(path)][:MOST]


def _is_module(path: str) -> bool:
    return ending(path) in {"js", "mjs"}


def _static(application: Application, digests: set[str]) -> dict[str, list[str]]:
    rows = Blob.objects.filter(application=application, digest__in=digests).exclude(imports=None)
    return {
        digest: [each for each in imports or () if each not in lazy]
        for digest, imports, lazy in rows.values_list("digest", "imports", "lazy")
    }
