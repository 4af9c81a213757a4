"""Files of applications on a disk that may fail in the middle: whole or not there, and there once they are told to be."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from django.core.files.storage import storages

from iep import storage

CONTENT = b"export const price = 1;\n" * 100
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def folder(tmp_path, settings) -> Path:
    settings.STORAGES = settings.STORAGES | {
        "blobs": {"BACKEND": "iep.storage.BlobFolder", "OPTIONS": {"location": str(tmp_path)}}
    }
    storages._storages.pop("blobs", None)
    return tmp_path


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_on_the_disk_with_its_name_before_anyone_is_told(folder, monkeypatch):
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def keep(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}") if os.path.exists("/proc/self/fd") else ""
        done.append("folder" if Path(path).is_dir() else "file")
        fsync(descriptor)

    def name(source: str, target: Path) -> None:
        done.append("name")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", keep)
    monkeypatch.setattr(os, "replace", name)
    assert storage.put(DIGEST, [CONTENT]) == len(CONTENT)
    assert done[:2] == ["file", "name"]
    assert done.count("folder") >= 3  # the one it is in, and those that are new themselves
    assert files_in(folder) == {storage.name_of(DIGEST): CONTENT}
    done.clear()
    storage.put(DIGEST, [CONTENT])
    assert done == []


def test_an_interrupted_write_leaves_nothing_under_the_name(folder, monkeypatch):
    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "fsync", fails)
        storage.put(DIGEST, [CONTENT])
    assert files_in(folder) == {}
    storage.put(DIGEST, [CONTENT])
    assert files_in(folder) == {storage.name_of(DIGEST): CONTENT}


def test_half_a_file_of_an_earlier_crash_is_written_over(folder):
    half = folder / storage.name_of(DIGEST)
    half.parent.mkdir(parents=True)
    half.write_bytes(CONTENT[:100])
    storage.put(DIGEST, [CONTENT])
    assert files_in(folder) == {storage.name_of(DIGEST): CONTENT}
    assert half.stat().st_mode & 0o777 == 0o644
