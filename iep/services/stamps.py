"""A developer's files become a ticket's delta: what is really different from production, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import User
from core.clock import now
from core.errors import InvalidInput, WrongState
from core.rows import insert
from core.sql import Statement
from iep import permissions, storage
from iep.errors import MissingBlobs, NotInDev
from iep.models import Application, Blob, Change, Module, Stamp
from iep.selectors.conflicts import around
from iep.services.change import check_revision, keeping_revision, lock_of_ticket, take_after
from iep.services.facts import publish_about
from iep.services.production import CONTENTS
from iep.states import Stage
from iep.types import Delta, File, Manifest
from iep.validation import SPECIFIERS, check_files, fold, is_digest, read_specifiers
from tickets.models import Ticket

# What the application has of these bytes, and what its production has at these paths.
_KNOWN = f"""
SELECT NULL AS path, digest, size FROM iep_blob WHERE application_id = %s AND digest = ANY(%s)
UNION ALL ({CONTENTS})
"""  # noqa: S608 (a statement of ours)
_BROUGHT = """
INSERT INTO iep_blob (application_id, created_at, lazy, digest, size)
SELECT %s::bigint, %s::timestamptz, '{}', brought.* FROM unnest(%s::text[], %s::bigint[]) AS brought
ON CONFLICT (application_id, digest) DO NOTHING
"""


@dataclass(slots=True)
class Stamped:
    """What became of a manifest: the stamp after it, and which paths changed, did not, or are an old checkout.

    `around` is what its conflicts are read from, if that was asked for on the way.
    """

    stamp: Stamp
    created: bool = False
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    stale: list[str] = field(default_factory=list)
    around: list[tuple[Any, ...]] | None = None


def store_blob(*, application: Application, digest: str, chunks: Iterable[bytes], by: User) -> tuple[Blob, bool]:
    """Keep a file's bytes for the application, checked against their digest as they come in; whether they are new.

    NotAllowed without the right to stamp, InvalidInput for what is no digest, WrongDigest, TooLarge. Nothing is kept then.
    """
    permissions.check_can_stamp(by, application)
    if not is_digest(digest):
        raise InvalidInput({"digest": ["Give the SHA-256 as 64 digits of 0-9 and a-f, in lower case."]})
    size = storage.put(digest, chunks)
    return Blob.objects.get_or_create(application=application, digest=digest, defaults={"size": size})


def stamp_ticket(
    *,
    application: Application,
    ticket: Ticket,
    manifest: Manifest,
    by: User,
    revision: int | None = None,
    brought: Mapping[str, bytes] | None = None,
) -> Stamped:
    """Bring the files into the ticket's delta over production, the first time opening its stamp.

    `brought` are bytes by their digest that nobody stored yet, such as those of small files that came along: they are
    the application's with the stamp, or not at all. Only differences count: what production has is no change. Leaves
    `stamp.opened` or `stamp.updated`; nothing when nothing changed. InvalidInput with every bad path, MissingBlobs,
    NotInDev, RevisionConflict (`revision` 0: must be new), WrongState for a closed ticket: then nothing was stored.
    """
    permissions.check_can_stamp(by, application)
    check_files(manifest.files, manifest.removed)
    sizes = {digest: storage.put(digest, [content]) for digest, content in (brought or {}).items()}
    try:
        with transaction.atomic():
            return _stamp(application, ticket, manifest, sizes, by, revision)
    except IntegrityError as error:
        if "stamp_once" not in str(error):
            raise
        with transaction.atomic():  # someone opened it in the same moment: join
            return _stamp(application, ticket, manifest, sizes, by, revision)


def _questions(application: Application, manifest: Manifest, brought: Mapping[str, int]) -> Iterator[Statement]:
    if brought:  # always in the same order, so that no two wait for each other
        ordered = dict(sorted(brought.items()))
        yield _BROUGHT, [application.pk, now(), list(ordered), list(ordered.values())]
    digests = {file.digest for file in manifest.files}
    paths = {*(file.path for file in manifest.files), *manifest.removed}
    yield _KNOWN, [application.pk, list(digests), application.pk, [fold(path) for path in paths]]


def _check_blobs(sizes: Mapping[str, int], manifest: Manifest) -> None:
    if missing := {file.digest for file in manifest.files} - sizes.keys():
        raise MissingBlobs(missing)
    for number, file in enumerate(manifest.files):
        if sizes[file.digest] != file.size:
            raise InvalidInput({f"files[{number}].size": [f"{file.path} has {sizes[file.digest]} bytes."]})
        if file.path == SPECIFIERS:
            read_specifiers(storage.read(file.digest) or b"")


def _stamp(  # noqa: PLR0917
    application: Application,
    ticket: Ticket,
    manifest: Manifest,
    brought: Mapping[str, int],
    by: User,
    revision: int | None,
) -> Stamped:
    questions = list(_questions(application, manifest, brought))
    locked, (*_, known) = lock_of_ticket(application, ticket, revision, by, then=questions)
    _check_blobs({digest: size for path, digest, size in known if path is None}, manifest)
    stamp = locked or _new_stamp(application, ticket, by, revision)
    if stamp.stage != Stage.DEV:
        remedy = "Reopen it first." if stamp.stage in {Stage.CLOSED, Stage.PROD} else "Revert it to dev first."
        raise NotInDev(f"{ticket.key} is in {stamp.stage}. {remedy}", details={"stage": stamp.stage})
    found = Stamped(stamp, created=stamp.pk is None)
    delta = _merge(stamp, manifest, {path: digest for path, digest, _ in known if path is not None}, found)
    if not found.changed and not found.created:
        return found
    data = {"changed": found.changed[:200], "changed_count": len(found.changed), "paths": len(delta)}
    now_has: dict[str, Any] = {"delta": delta, "git": manifest.git or stamp.git, "revision": stamp.revision + 1}
    _note_imports(application, manifest)
    if found.created:
        stamp.delta, stamp.git, stamp.revision = delta, now_has["git"], now_has["revision"]
        insert(stamp)
        asked = [around(stamp, delta), keeping_revision(stamp, by)]
        found.around, *_ = publish_about(stamp, "stamp.opened", by=by, data=data, after=asked, last=True)
    else:
        asked = [around(stamp, delta)]
        (found.around,) = take_after(asked, stamp, "update", by=by, data=data, last=True, **now_has)
    return found


def _new_stamp(application: Application, ticket: Ticket, by: User, revision: int | None) -> Stamp:
    """The ticket's first stamp on the application, not written yet."""
    if ticket.is_closed:
        raise WrongState(
            f"{ticket.key} is closed. Reopen the ticket before you work on it.", details={"state": ticket.state}
        )
    head = Application.objects.select_related("tenant").get(pk=application.pk)
    stamp = Stamp(application=head, ticket=ticket, author=by, base_revision=head.revision)
    check_revision(stamp, revision)
    return stamp


def _merge(stamp: Stamp, manifest: Manifest, production: Mapping[str, str], found: Stamped) -> Delta:
    """The delta after the manifest over production's digests; `found` is told what changed."""
    delta: Delta = dict(stamp.delta)
    paths = [file.path for file in manifest.files]
    _refuse_twins(delta, production, manifest)
    old = _earlier_digests(stamp.application, paths) if manifest.tree else set()
    for file in manifest.files:
        _merge_file(delta, file, production.get(file.path), (file.path, file.digest) in old, found)
    for path in manifest.removed:
        _merge_removal(delta, path, production.get(path), found)
    _complete(delta, stamp, manifest, found)
    return delta


def _refuse_twins(delta: Delta, there: Iterable[str], manifest: Manifest) -> None:
    """A new path may not differ by case only from one that production or the ticket has and keeps."""
    paths = {file.path for file in manifest.files}
    kept = {*there, *delta}.difference(manifest.removed, [path for path in delta if delta[path]["digest"] is None])
    others = kept - paths
    fresh = {fold(path): path for path in paths - kept}
    twins = {path: fresh[fold(path)] for path in others if fold(path) in fresh}
    if twins:
        sentences = [f"{new} and {old} are one file on some systems. Rename one." for old, new in twins.items()]
        raise InvalidInput({"files": sentences})


def _merge_file(delta: Delta, file: File, production: str | None, was_production: bool, found: Stamped) -> None:
    entry = delta.get(file.path)
    if entry is not None and entry["digest"] == file.digest:
        found.unchanged += 1
    elif production == file.digest:
        if entry is None:
            found.unchanged += 1
        else:
            del delta[file.path]
            found.changed.append(file.path)
    elif was_production and entry is None:
        found.stale.append(file.path)
    elif was_production and entry is not None and entry["base"] == file.digest:
        del delta[file.path]
        found.changed.append(file.path)
    else:
        base = entry["base"] if entry is not None else production
        delta[file.path] = {"digest": file.digest, "size": file.size, "base": base}
        found.changed.append(file.path)


def _merge_removal(delta: Delta, path: str, production: str | None, found: Stamped) -> None:
    entry = delta.get(path)
    if production is None:
        if entry is None or entry["digest"] is None:
            found.unchanged += 1
            return
        del delta[path]
    elif entry is not None and entry["digest"] is None:
        found.unchanged += 1
        return
    else:
        delta[path] = {"digest": None, "size": 0, "base": entry["base"] if entry else production}
    found.changed.append(path)


def _complete(delta: Delta, stamp: Stamp, manifest: Manifest, found: Stamped) -> None:
    """What the ticket itself added below these folders and the developer has no more is gone.

    A file of production that is missing there may as well be a release that the working copy does not have yet: it is
    named, and only `removed` takes it away.
    """
    if not manifest.complete_under:
        return
    there = {file.path for file in manifest.files}
    prefixes = manifest.complete_under
    for path in [path for path in delta if path.startswith(prefixes) and path not in there]:
        if delta[path]["digest"] is not None and delta[path]["base"] is None:
            del delta[path]
            found.changed.append(path)
    in_production = Module.objects.filter(application=stamp.application).exclude(path__in=there)
    for path in in_production.values_list("path", flat=True):
        if path.startswith(prefixes) and path not in delta:
            found.stale.append(path)


def _earlier_digests(application: Application, paths: Sequence[str]) -> set[tuple[str, str]]:
    """What production ever had at these paths."""
    changes = Change.objects.filter(application=application, path__in=list(paths)).exclude(after="")
    return set(changes.values_list("path", "after"))


def _note_imports(application: Application, manifest: Manifest) -> None:
    """Keep the import graph where the build tool sent it; what it did not send a sweep reads."""
    for file in manifest.files:
        if file.path in manifest.imports:
            imports = [text[:600] for text in manifest.imports[file.path][:500]]
            lazy = [text for text in manifest.lazy.get(file.path, []) if text in imports]
            Blob.objects.filter(application=application, digest=file.digest).update(imports=imports, lazy=lazy)
