"""A developer's files become a ticket's delta: what is really different from production, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction

from accounts.models import User
from core.clock import now
from core.errors import InvalidInput, WrongState
from iep import permissions, storage
from iep.errors import MissingBlobs, NotInDev
from iep.models import Application, Blob, Change, Module, Stamp
from iep.services.change import check_revision, keep_revision, load, take
from iep.services.change import lock as lock_stamp
from iep.services.facts import publish_about
from iep.states import Stage
from iep.types import Delta, File, Manifest
from iep.validation import SPECIFIERS, check_files, is_digest, read_specifiers
from tickets.models import Ticket


@dataclass(slots=True)
class Stamped:
    """What became of a manifest: the stamp after it, and which paths changed, did not, or are an old checkout."""

    stamp: Stamp
    created: bool = False
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    stale: list[str] = field(default_factory=list)


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
    *, application: Application, ticket: Ticket, manifest: Manifest, by: User, revision: int | None = None
) -> Stamped:
    """Bring the files into the ticket's delta over production, the first time opening its stamp.

    Only differences count: what production has is no change. Leaves `stamp.opened` or `stamp.updated`; nothing when
    nothing changed. InvalidInput with every bad path, MissingBlobs, NotInDev, RevisionConflict (`revision` 0: must be
    new), WrongState for a closed ticket: then nothing was stored.
    """
    permissions.check_can_stamp(by, application)
    check_files(manifest.files, manifest.removed)
    _check_twins(application, ticket, manifest)
    _check_blobs(application, manifest)
    try:
        with transaction.atomic():
            return _stamp(application, ticket, manifest, by, revision)
    except IntegrityError as error:
        if "stamp_once" not in str(error):
            raise
        with transaction.atomic():  # someone opened it in the same moment: join
            return _stamp(application, ticket, manifest, by, revision)


def _check_twins(application: Application, ticket: Ticket, manifest: Manifest) -> None:
    """A new path may not differ from one that is there only by case."""
    paths = {file.path for file in manifest.files}
    known = set(Module.objects.filter(application=application, path__in=paths).values_list("path", flat=True))
    stamp = Stamp.objects.filter(application=application, ticket=ticket).only("delta").first()
    known |= set(stamp.delta) & paths if stamp else set()
    fresh = {path.casefold(): path for path in paths - known}
    if not fresh:
        return
    others = set(Module.objects.filter(application=application).values_list("path", flat=True)) - set(manifest.removed)
    others |= set(stamp.delta) if stamp else set()
    twins = {path: fresh[path.casefold()] for path in others - paths if path.casefold() in fresh}
    if twins:
        sentences = [f"{new} and {old} are one file on some systems. Rename one." for old, new in twins.items()]
        raise InvalidInput({"files": sentences})


def _check_blobs(application: Application, manifest: Manifest) -> None:
    wanted = {file.digest: file.size for file in manifest.files}
    sizes = dict(Blob.objects.filter(application=application, digest__in=wanted).values_list("digest", "size"))
    if missing := wanted.keys() - sizes.keys():
        raise MissingBlobs(missing)
    for number, file in enumerate(manifest.files):
        if sizes[file.digest] != file.size:
            raise InvalidInput({f"files[{number}].size": [f"{file.path} has {sizes[file.digest]} bytes."]})
        if file.path == SPECIFIERS:
            read_specifiers(storage.read(file.digest) or b"")


def _stamp(application: Application, ticket: Ticket, manifest: Manifest, by: User, revision: int | None) -> Stamped:
    stamp, created = _find_or_open(application, ticket, by, revision)
    if stamp.stage != Stage.DEV:
        remedy = "Reopen it first." if stamp.stage in {Stage.CLOSED, Stage.PROD} else "Revert it to dev first."
        raise NotInDev(f"{ticket.key} is in {stamp.stage}. {remedy}", details={"stage": stamp.stage})
    found = Stamped(stamp, created)
    delta = _merge(stamp, manifest, found)
    if not found.changed and not created:
        return found
    git = manifest.git or stamp.git
    stamp.delta, stamp.git, stamp.revision = delta, git, stamp.revision + 1
    data = {"changed": found.changed[:200], "changed_count": len(found.changed), "paths": len(delta)}
    Stamp.objects.filter(pk=stamp.pk).update(delta=delta, git=git, revision=stamp.revision, updated_at=now())
    keep_revision(stamp, application.revision, by)
    _note_imports(application, manifest)
    if created:
        found.stamp = load(stamp)
        publish_about(found.stamp, "stamp.opened", by=by, data=data)
    else:
        found.stamp = take(stamp, "update", by=by, data=data)
    return found


def _find_or_open(application: Application, ticket: Ticket, by: User, revision: int | None) -> tuple[Stamp, bool]:
    known = Stamp.objects.filter(application=application, ticket=ticket).first()
    if known is not None:
        return lock_stamp(known, revision), False
    if ticket.is_closed:
        raise WrongState(
            f"{ticket.key} is closed. Reopen the ticket before you work on it.", details={"state": ticket.state}
        )
    head = Application.objects.values_list("revision", flat=True).get(pk=application.pk)
    stamp = Stamp(application=application, ticket=ticket, author=by, base_revision=head)
    check_revision(stamp, revision)
    stamp.save(force_insert=True)
    return stamp, True


def _merge(stamp: Stamp, manifest: Manifest, found: Stamped) -> Delta:
    """The delta after the manifest; `found` is told what changed."""
    delta: Delta = dict(stamp.delta)
    paths = [file.path for file in manifest.files]
    concerned = {*paths, *manifest.removed}
    production = _digests(stamp.application, concerned)
    old = _earlier_digests(stamp.application, paths) if manifest.tree else set()
    for file in manifest.files:
        _merge_file(delta, file, production.get(file.path), (file.path, file.digest) in old, found)
    for path in manifest.removed:
        _merge_removal(delta, path, production.get(path), found)
    _complete(delta, stamp, manifest, found)
    return delta


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


def _digests(application: Application, paths: Iterable[str]) -> dict[str, str]:
    return dict(Module.objects.filter(application=application, path__in=list(paths)).values_list("path", "digest"))


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
