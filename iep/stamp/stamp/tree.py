"""The files of an application on this disk: which count, and what is in them."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stamp.errors import Usage
from stamp.git import Git, GitFailed

# What the service takes; never HTML or SVG.
TYPES = {"js", "mjs", "css", "json", "wasm", "map", "txt", "woff", "woff2"}
TYPES |= {"png", "jpg", "jpeg", "gif", "webp", "avif", "ico"}
SKIPPED_FOLDERS = {"node_modules", "__pycache__"}
LARGEST = 10 * 1024 * 1024


@dataclass(frozen=True)
class File:
    """One file as it was read: its path below the root, and its content's digest and size."""

    path: str
    digest: str
    size: int


@dataclass
class Tree:
    """The folders of one application; reading it again costs a look at each file, not at its bytes."""

    root: Path
    folders: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    _seen: dict[str, tuple[tuple[int, int, int], File]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place in self.places():
            if not place.exists():
                raise Usage(f"There is no {place}.", hint="Name the folder of the sources with -f, or in .stamp.toml.")

    def places(self) -> list[Path]:
        return [self.root / folder for folder in self.folders]

    def files(self) -> list[File]:
        """All files that count, by path."""
        found = (self.file(path) for path in sorted(set(self._paths())))
        return [file for file in found if file]

    def file(self, path: str) -> File | None:
        """One file as it is now; None when it is gone or does not count."""
        if not self.counts(path):
            return None
        place = self.root / path
        try:
            state = place.stat()
            if not place.is_file():
                return None
            mark = (state.st_mtime_ns, state.st_size, state.st_ino)
            known = self._seen.get(path)
            if known and known[0] == mark:
                return known[1]
            body = place.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        file = File(unicodedata.normalize("NFC", path), hashlib.sha256(body).hexdigest(), len(body))
        self._seen[path] = (mark, file)
        return file

    def body(self, file: File) -> bytes | None:
        """Its bytes, None when they are no longer those of the digest (somebody saved in between)."""
        for path in (file.path, unicodedata.normalize("NFD", file.path)):
            try:
                body = (self.root / path).read_bytes()
            except OSError:
                continue
            return body if hashlib.sha256(body).hexdigest() == file.digest else None
        return None

    def counts(self, path: str) -> bool:
        """Whether a path below the root is one of the application's files, by its name alone."""
        parts = path.split("/")
        if any(part.startswith(".") or part in SKIPPED_FOLDERS or part.endswith("~") for part in parts):
            return False
        if parts[-1].rpartition(".")[2].lower() not in TYPES or "." not in parts[-1]:
            return False
        if any(fnmatch.fnmatch(path, pattern) or fnmatch.fnmatch(parts[-1], pattern) for pattern in self.exclude):
            return False
        return any(folder in {"", ".", path} or path.startswith(f"{folder}/") for folder in self.folders)

    def ignored(self, paths: Iterable[str]) -> set[str]:
        """Those that .gitignore leaves out."""
        listed = list(paths)
        if not listed or not Git(self.root).top():
            return set()
        try:
            told = Git(self.root).run("check-ignore", "-z", "--stdin", stdin="\0".join(listed) + "\0")
        except GitFailed:
            return set()
        return {path for path in told.split("\0") if path}

    def deleted(self, remote: str = "") -> list[str]:
        """Files that this branch had from the remote's default branch, and that are deleted here; empty outside git."""
        git = Git(self.root)
        base = git.ask("merge-base", "HEAD", f"refs/remotes/{git.remote(remote)}/HEAD") or git.head()
        if not base:
            return []
        names = git.ask("diff", "--name-only", "-z", "--no-renames", "--diff-filter=D", "--relative", base, "--", ".")
        return sorted(path for path in names.split("\0") if path and self.counts(path))

    def _paths(self) -> Iterator[str]:
        listed = self._from_git()
        for path in self._walk() if listed is None else listed:
            if self.counts(path):
                yield path

    def _from_git(self) -> list[str] | None:
        git = Git(self.root)
        if not git.top():
            return None
        try:
            told = git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *self.folders)
        except GitFailed:
            return None
        return [path for path in told.split("\0") if path]

    def _walk(self) -> Iterator[str]:
        for place in self.places():
            if place.is_file():
                yield place.relative_to(self.root).as_posix()
            for folder, below, names in os.walk(place):
                below[:] = [name for name in below if not name.startswith(".") and name not in SKIPPED_FOLDERS]
                for name in names:
                    yield (Path(folder) / name).relative_to(self.root).as_posix()
