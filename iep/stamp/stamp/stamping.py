"""Bringing files to the service: the manifest first, then the bytes it lacks; small ones come along with the manifest."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from stamp.client import Service
from stamp.errors import Conflict, Failed
from stamp.tree import LARGEST, File, Tree

INLINE_FILE, INLINE_ALL = 64 * 1024, 1024 * 1024  # bytes that may come along with a manifest
PER_FILE, BODY = 220, 2 * 1024 * 1024  # of a manifest, and the most that the service reads
AT_ONCE = 8
MOST_FILES = 4000  # per manifest; the service takes 5,000
ROUNDS = 5  # somebody may save while we send


class Progress(Protocol):
    """Hears how many bytes arrived."""

    def __call__(self, done: int) -> None: ...


@dataclass
class Stamper:
    """Stamps one ticket of one application."""

    service: Service
    tree: Tree
    application: str
    ticket: str
    git: dict[str, Any] | None = None
    imports: dict[str, list[str]] = field(default_factory=dict)
    lazy: dict[str, list[str]] = field(default_factory=dict)
    show_progress: bool = False

    @property
    def address(self) -> str:
        return f"/applications/{quote(self.application, safe='')}/stamps/{quote(self.ticket, safe='')}"

    def whole(self, removed: Sequence[str] = ()) -> dict[str, Any]:
        """A full stamp of the tree; the stamp as the service answers it."""
        files = self.tree.files()
        check_sizes(files)
        answer: dict[str, Any] = {}
        changed: list[str] = []
        stale: list[str] = []
        for number, part in enumerate(portions(files)):
            answer = self._post(part, removed if number == 0 else (), mode="tree")
            changed += answer.get("changed", ())
            stale += answer.get("stale", ())
        return {**answer, "changed": changed, "stale": stale}

    def save(self, paths: Sequence[str]) -> dict[str, Any]:
        """These paths as they are now: saved files with their bytes in the same request, missing ones as removed."""
        found = {path: self.tree.file(path) for path in paths}
        files = [file for file in found.values() if file]
        check_sizes(files)
        return self._post(files, [path for path, file in found.items() if file is None], mode="save")

    def _post(self, files: Sequence[File], removed: Sequence[str], *, mode: str) -> dict[str, Any]:
        wanted = {file.path for file in files}
        # A save brings its bytes along; of a tree the service has most already.
        inline = along(files, {file.digest for file in files}) if mode == "save" else set()
        for _ in range(ROUNDS):
            body = self._body(files, removed, mode, inline)
            try:
                return dict(self.service.post(self.address, body).body)
            except Conflict as conflict:
                if conflict.code != "missing_blobs":
                    raise
                missing = set(conflict.details["missing"])
                inline = along(files, missing)
                self._upload(files, missing - inline)
            now = {path: self.tree.file(path) for path in wanted}
            removed = [*removed, *(path for path, file in now.items() if file is None and mode == "save")]
            files = [file for file in now.values() if file]
        raise Failed(
            "The files change faster than they can be sent.", hint="Is a build running? Wait until it is done."
        )

    def _body(self, files: Sequence[File], removed: Sequence[str], mode: str, inline: set[str]) -> dict[str, Any]:
        listed, left = [], set(inline)
        for file in files:
            entry: dict[str, Any] = {"path": file.path, "digest": file.digest, "size": file.size}
            if file.digest in left and (content := self.tree.body(file)) is not None:
                entry["content"] = base64.b64encode(content).decode()
                left.discard(file.digest)
            listed.append(entry)
        body: dict[str, Any] = {"mode": mode, "files": listed, "removed": list(removed)}
        if self.git:
            body["git"] = self.git
        if imports := {path: self.imports[path] for path in (file.path for file in files) if path in self.imports}:
            body["imports"] = imports
            if lazy := {path: self.lazy[path] for path in imports if path in self.lazy}:
                body["lazy"] = lazy
        return body

    def _upload(self, files: Sequence[File], missing: set[str]) -> None:
        """Each missing digest once, some at a time; a file that changed meanwhile is left for the next round."""
        wanted = {file.digest: file for file in files if file.digest in missing}
        with progress(sum(file.size for file in wanted.values()), len(wanted), self.show_progress) as tell:

            def send(file: File) -> None:
                body = self.tree.body(file)
                if body is not None:
                    self.service.put(f"/applications/{quote(self.application, safe='')}/blobs/{file.digest}", body)
                tell(file.size)

            with ThreadPoolExecutor(AT_ONCE) as pool:
                for _ in pool.map(send, wanted.values()):
                    pass


def check_sizes(files: Sequence[File]) -> None:
    """Failed when a file is larger than the service takes: better said before hundreds of others were sent."""
    if large := [file for file in files if file.size > LARGEST]:
        raise Failed(
            "Too large to be stamped.", code="too_large",
            lines=[f"{file.path}: {file.size:,} bytes, at most {LARGEST:,}" for file in large],
            hint="Leave them out with `exclude` in .stamp.toml.",
        )  # fmt: skip


def along(files: Sequence[File], digests: set[str]) -> set[str]:
    """Which of these digests fit into the manifest's own request, the smallest first."""
    room = min(INLINE_ALL, (BODY - PER_FILE * len(files)) * 3 // 4)
    sizes = {file.digest: file.size for file in files if file.digest in digests and file.size <= INLINE_FILE}
    chosen = set()
    for digest, size in sorted(sizes.items(), key=lambda item: item[1]):
        room -= size
        if room < 0:
            break
        chosen.add(digest)
    return chosen


def portions(files: Sequence[File]) -> Iterator[Sequence[File]]:
    """Manifests of a size that the service takes; one at least."""
    for start in range(0, max(len(files), 1), MOST_FILES):
        yield files[start : start + MOST_FILES]


@contextmanager
def progress(total: int, files: int, shown: bool) -> Iterator[Progress]:
    """A bar on stderr for uploads that take long; silent otherwise."""
    if not shown or (total < 1 << 20 and files < 20):
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("Sending"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("send", total=total)
        yield lambda done: bar.advance(task, done)
