"""Watching the sources: what was saved, added or deleted is stamped within a heartbeat, also after the server was away."""

from __future__ import annotations

import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stamp.client import back_off
from stamp.errors import Away, Conflict, Stop
from stamp.out import Out, modules
from stamp.stamping import Stamper

STEP = 20  # milliseconds: the delay that is felt between a save and its event
HEARTBEAT = 250  # milliseconds between looks at what is still to be sent
TEMPORARY = {"not_in_dev", "revision_conflict", "stale_state", "missing_blobs"}


@dataclass
class Watch:
    """A folder under watch; `known` is what the service was last told."""

    stamper: Stamper
    out: Out
    debounce: int = 200
    polling: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    known: dict[str, str] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    _failures: int = 0
    _not_before: float = 0.0
    _last_words: str = ""

    def begin(self) -> None:
        """Take the tree as it is now for what the service knows."""
        self.known = {file.path: file.digest for file in self.stamper.tree.files()}

    def run(self) -> None:
        """Until it is stopped."""
        begun = False
        for changed in self.batches():
            # What was saved between the first stamp and the first look is in no batch.
            self.note(changed if begun else changed | self.everything())
            begun = True
            if self.pending and time.monotonic() >= self._not_before:
                self.send()

    def batches(self) -> Iterator[set[str]]:
        """Paths below the root that something happened to; at each heartbeat at least the files that are named singly."""
        places = self.stamper.tree.places()
        folders = [place for place in places if place.is_dir()]
        single = set(_below(self.stamper.tree.root, (str(place) for place in places if place.is_file())))
        for batch in self._events(folders):
            yield set(_below(self.stamper.tree.root, (path for _, path in batch))) | single

    def _events(self, folders: list[Path]) -> Iterator[Iterable[tuple[Any, str]]]:
        if not folders:
            while not self.stop.wait(HEARTBEAT / 1000):
                yield ()
            return
        from watchfiles import watch

        yield from watch(
            *folders, watch_filter=None, step=STEP, debounce=self.debounce, rust_timeout=HEARTBEAT,
            yield_on_timeout=True, stop_event=self.stop, raise_interrupt=True,
            force_polling=self.polling or None, ignore_permission_denied=True,
        )  # fmt: skip

    def note(self, changed: Iterable[str]) -> None:
        """Remember which files are no longer what the service was told."""
        tree = self.stamper.tree
        changed = set(changed)
        touched = {path for path in changed if tree.counts(path)}
        if any(self._is_folder(path) for path in changed):  # it came, went, or was renamed
            touched |= self.everything()
        fresh = {path for path in touched if path not in self.known}
        for path in touched - (tree.ignored(fresh) if fresh else set()):
            file = tree.file(path)
            if (file.digest if file else None) != self.known.get(path):
                self.pending.add(path)
            else:
                self.pending.discard(path)

    def everything(self) -> set[str]:
        """All paths that are there or were; costs a stat each."""
        return {file.path for file in self.stamper.tree.files()} | set(self.known)

    def _is_folder(self, path: str) -> bool:
        if any(part.startswith(".") for part in path.split("/")):
            return False
        return (self.stamper.tree.root / path).is_dir() or any(each.startswith(f"{path}/") for each in self.known)

    def send(self) -> None:
        """Stamp what is pending; when that does not work it stays pending."""
        tree, paths = self.stamper.tree, sorted(self.pending)
        before = {path: (file.digest if (file := tree.file(path)) else None) for path in paths}
        began = time.monotonic()
        try:
            stamp = self.stamper.save(paths)
        except Away as away:
            self._later(away, retry=True)
            return
        except Stop as stop:
            if not isinstance(stop, Conflict) or stop.code not in TEMPORARY:
                # It will not be taken as it is; the next save of one of these files tries again.
                self.pending.clear()
            self._later(stop, retry=bool(self.pending))
            return
        for path, digest in before.items():
            self._told(path, digest)
        self._failures, self._not_before, self._last_words = 0, 0.0, ""
        self.say(stamp, before, time.monotonic() - began)

    def _told(self, path: str, digest: str | None) -> None:
        if digest is None:
            self.known.pop(path, None)
        else:
            self.known[path] = digest
        now = self.stamper.tree.file(path)
        if (now.digest if now else None) == digest:
            self.pending.discard(path)

    def _later(self, stop: Stop, *, retry: bool) -> None:
        wait = back_off(self._failures, getattr(stop, "retry_after", 0.0))
        self._failures += 1
        self._not_before = time.monotonic() + wait
        if stop.message == self._last_words:
            return
        self._last_words = stop.message
        data = {"code": stop.code, "message": stop.message, "lines": list(stop.lines), "retry": retry}
        text = " ".join(filter(None, (stop.message, *stop.lines, stop.hint)))
        self.out.event("waiting" if retry else "refused", data, text + (" Waiting for it." if retry else ""))

    def say(self, stamp: dict[str, Any], sent: dict[str, str | None], seconds: float) -> None:
        """What became of a save."""
        removed = sorted(path for path, digest in sent.items() if digest is None)
        names = [f"{path} (removed)" if path in removed else path for path in sorted(sent)]
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        data = {
            "revision": stamp.get("revision"), "paths": sorted(sent), "removed": removed,
            "milliseconds": round(seconds * 1000), "preview_url": stamp.get("preview_url"),
            "conflicts": stamp.get("conflicts", []),
        }  # fmt: skip
        text = f"Stamped {modules(len(sent))} in {seconds * 1000:.0f} ms: {shown}"
        self.out.event("stamped", data, text)


def _below(root: Path, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        place = Path(path)
        if place.is_relative_to(root):
            yield unicodedata.normalize("NFC", place.relative_to(root).as_posix())
