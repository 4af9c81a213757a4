"""Bodies and parameters of the stamp API."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from rest_framework import serializers

from core.rest import FlagField, StrictQuery, StrictSerializer, TextField, WordField
from iep.types import File, Manifest
from iep.validation import MAX_FILES, MAX_INLINE, MAX_INLINE_TOTAL


class GitFields(StrictSerializer):
    """What the developer's git says of the working copy."""

    head = TextField(required=False, default="", max_length=64)
    branch = TextField(required=False, default="", max_length=300)
    dirty = FlagField(required=False, default=False)
    remote = TextField(required=False, default="", max_length=500)
    base = TextField(required=False, default="", max_length=64)


class FileFields(StrictSerializer):
    """A file as it should be; `content` brings a small one along, base64."""

    path = TextField()
    digest = TextField()
    size = serializers.IntegerField(min_value=0)
    content = TextField(required=False, allow_null=True, default=None)


class StampFields(StrictSerializer):
    """A manifest of files as they should be, and of paths that should be gone."""

    mode = WordField(["save", "tree"], required=False, default="save")
    files = FileFields(many=True, required=False, default=list)
    removed = serializers.ListField(child=TextField(), required=False, default=list, max_length=MAX_FILES)
    complete_under = serializers.ListField(child=TextField(), required=False, default=list, max_length=50)
    git = GitFields(required=False, allow_null=True, default=None)
    imports = serializers.DictField(
        child=serializers.ListField(child=TextField(), max_length=2000), required=False, default=dict
    )
    lazy = serializers.DictField(
        child=serializers.ListField(child=TextField(), max_length=2000), required=False, default=dict
    )
    message = TextField(required=False, default="", max_length=500)

    def validate_files(self, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(files) > MAX_FILES:
            raise serializers.ValidationError(f"At most {MAX_FILES} files at once; send several manifests.")
        total = sum(len(file["content"] or "") for file in files)
        if total > MAX_INLINE_TOTAL * 4 // 3 + 4 * len(files):
            raise serializers.ValidationError(f"At most {MAX_INLINE_TOTAL} bytes inline; PUT larger files first.")
        return files


def manifest_of(form: dict[str, Any]) -> Manifest:
    return Manifest(
        files=tuple(File(file["path"], file["digest"], file["size"]) for file in form["files"]),
        removed=tuple(form["removed"]),
        tree=form["mode"] == "tree",
        complete_under=tuple(form["complete_under"]),
        git=dict(form["git"]) if form["git"] else None,
        imports=form["imports"],
        lazy=form["lazy"],
    )


def inline_of(form: dict[str, Any]) -> dict[str, bytes]:
    """digest -> bytes of the files that came along; ValidationError for what is no base64, too long or another file."""
    found: dict[str, bytes] = {}
    errors: dict[str, list[str]] = {}
    for number, file in enumerate(form["files"]):
        if file["content"] is None:
            continue
        try:
            content = base64.b64decode(file["content"], validate=True)
        except (binascii.Error, ValueError):
            errors[f"files[{number}].content"] = ["This is not base64."]
            continue
        if len(content) > MAX_INLINE:
            errors[f"files[{number}].content"] = [f"At most {MAX_INLINE} bytes inline; PUT larger files first."]
        elif hashlib.sha256(content).hexdigest() != file["digest"]:
            errors[f"files[{number}].digest"] = ["The bytes that came along have another SHA-256."]
        found[file["digest"]] = content
    if errors:
        raise serializers.ValidationError(errors)
    return found


class PromoteFields(StrictSerializer):
    git = GitFields(required=False, allow_null=True, default=None)
    message = TextField(required=False, default="", max_length=5000)


class ReasonFields(StrictSerializer):
    reason = TextField(required=False, default="", max_length=5000)


class CommentFields(StrictSerializer):
    comment = TextField(required=False, default="", max_length=5000)


class ReopenFields(StrictSerializer):
    """Nothing."""


class RebaseFields(StrictSerializer):
    mine = serializers.ListField(child=TextField(), required=False, default=list, max_length=MAX_FILES)
    theirs = serializers.ListField(child=TextField(), required=False, default=list, max_length=MAX_FILES)


class CheckFields(StrictSerializer):
    git = GitFields(required=False, allow_null=True, default=None)


class LinkFields(StrictSerializer):
    hours = serializers.IntegerField(required=False, default=24, min_value=1, max_value=24 * 14)


class KeyFields(StrictSerializer):
    name = TextField(max_length=100)
    public_key = TextField(max_length=2000)


class ManifestFields(StrictSerializer):
    """The manifest as it was signed, byte for byte, and the detached signature over it."""

    document = TextField(max_length=1536 * 1024)
    signature = TextField(max_length=200)


class LoginFields(StrictSerializer):
    client = TextField(required=False, default="stamp", max_length=100)


class DeviceFields(StrictSerializer):
    device_code = TextField(max_length=200)


class StampsQuery(StrictQuery):
    stage = TextField(required=False, default="open")


class DiffQuery(StrictQuery):
    path = TextField()


class ReleasesQuery(StrictQuery):
    limit = serializers.IntegerField(required=False, default=50, min_value=1, max_value=500)
