"""Bytes by their SHA-256 in the storage `blobs`: written once, checked while they come in, kept in memory when small."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from core.errors import DomainError
from iep.validation import MAX_BYTES

KEPT_BYTES = 32 * 1024 * 1024
KEPT_EACH = 512 * 1024
IN_MEMORY = 1024 * 1024


class WrongDigest(DomainError):
    """What came is not what was announced."""

    code = "wrong_digest"
    title = "These bytes have another digest"


class TooLarge(DomainError):
    """More bytes than a file may have."""

    status = 413
    code = "too_large"
    title = "Too large"


def store() -> Storage:
    return storages["blobs"]


def name_of(digest: str) -> str:
    """Where the bytes of a digest are; never a name that a client gave."""
    return f"{digest[:2]}/{digest[2:4]}/{digest}"


def put(digest: str, chunks: Iterable[bytes]) -> int:
    """Keep the bytes under their digest; their number. Nothing is kept of others.

    WrongDigest, TooLarge. Safe to repeat and to do twice at the same time.
    """
    seen, size = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        for chunk in chunks:
            size += len(chunk)
            if size > MAX_BYTES:
                raise TooLarge(f"A file has at most {MAX_BYTES} bytes.")
            seen.update(chunk)
            file.write(chunk)
        if seen.hexdigest() != digest:
            raise WrongDigest(
                f"The {size} bytes received have the SHA-256 {seen.hexdigest()}. Read the file again and send it anew."
            )
        file.seek(0)
        if not _is_there(digest, size):
            _save(digest, file.read())
    return size


def _is_there(digest: str, size: int) -> bool:
    """A copy of another length is what an interrupted write left behind."""
    name = name_of(digest)
    return store().exists(name) and store().size(name) == size


def _save(digest: str, content: bytes) -> None:
    """A storage that finds the name taken meanwhile would choose another one: that copy is not needed."""
    name = store().save(name_of(digest), ContentFile(content))
    if name != name_of(digest):
        store().delete(name)


class _Memory:
    """The bytes that were asked for last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    def get(self, digest: str) -> bytes | None:
        with self._lock:
            content = self._kept.get(digest)
            if content is not None:
                self._kept.move_to_end(digest)
            return content

    def keep(self, digest: str, content: bytes) -> None:
        if len(content) > KEPT_EACH:
            return
        with self._lock:
            if digest in self._kept:
                return
            self._kept[digest] = content
            self._size += len(content)
            while self._size > KEPT_BYTES:
                self._size -= len(self._kept.popitem(last=False)[1])


memory = _Memory()


def read(digest: str) -> bytes | None:
    """The bytes, None when nobody stored them."""
    content = memory.get(digest)
    if content is None:
        try:
            with store().open(name_of(digest)) as file:
                content = file.read()
        except FileNotFoundError:
            return None
        memory.keep(digest, content)
    return content


class BlobFolder(FileSystemStorage):
    """The folder where files are kept unless a storage elsewhere is set.

    A file is there whole or not at all, and still after a power cut once its transaction is committed.

    Names are digests, so what has the name has the content: it is written over, never beside.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: Any) -> str:
        target = Path(self.path(name))
        new = [folder for folder in (target.parent, *target.parents) if not folder.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, written = tempfile.mkstemp(dir=target.parent, prefix=".")
        try:
            with open(descriptor, "wb") as file:
                for piece in content.chunks():
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(written, self.file_permissions_mode or 0o644)
            os.replace(written, target)
        except BaseException:
            Path(written).unlink(missing_ok=True)
            raise
        for folder in {target.parent, *(folder.parent for folder in new)}:
            _keep_names(folder)
        return name


def _keep_names(folder: Path) -> None:
    """Have the disk know what is in the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
