"""Build servers' keys of an application, and the manifests that they signed."""

from __future__ import annotations

import hashlib

from django.db import IntegrityError, transaction

from accounts.models import User
from core.clock import now
from core.errors import Conflict, InvalidInput, WrongState
from iep import permissions
from iep.errors import BadSignature
from iep.models import Application, SignedManifest, SigningKey
from iep.services.facts import publish_about_application
from iep.signatures import read_public_key, read_statement, verifies

MOST_KEYS = 20


@transaction.atomic
def add_signing_key(*, application: Application, name: str, public_key: str, by: User) -> SigningKey:
    """Trust what this Ed25519 key signs; leaves `application.key_added`.

    NotAllowed without the right to release, InvalidInput for what is no such key, Conflict for one that is there.
    """
    permissions.check_can_release(by, application)
    name = name.strip()
    if not 0 < len(name) <= 100:
        raise InvalidInput({"name": ["Name the key after who holds it, in at most 100 characters."]})
    if application.signing_keys.filter(revoked_at=None).count() >= MOST_KEYS:
        raise WrongState(f"{application.slug} has {MOST_KEYS} keys. Revoke one first.")
    key = SigningKey(application=application, name=name, public_key=read_public_key(public_key), created_by=by)
    try:
        with transaction.atomic():
            key.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(
            f"{application.slug} has this key already, or had it and revoked it. Make a new one.", code="key_known"
        ) from error
    publish_about_application(application, "application.key_added", by=by, data=_told(key))
    return key


@transaction.atomic
def revoke_signing_key(*, key: SigningKey, by: User) -> SigningKey:
    """Trust nothing that it signed any more, before or after; leaves `application.key_revoked`, once."""
    permissions.check_can_release(by, key.application)
    if SigningKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now()):
        publish_about_application(key.application, "application.key_revoked", by=by, data=_told(key))
    key.refresh_from_db(fields=["revoked_at"])
    return key


def _told(key: SigningKey) -> dict[str, str]:
    return {"key": key.name, "public_key": key.public_key}


@transaction.atomic
def take_manifest(
    *, application: Application, document: bytes, signature: bytes, by: User
) -> tuple[SignedManifest, bool]:
    """Keep what a build server signed about a commit, and whether it is new; leaves `application.manifest_signed` then.

    NotAllowed without the right to stamp, InvalidInput for a document of another shape or application, BadSignature when
    no key of the application signed exactly these bytes.
    """
    permissions.check_can_stamp(by, application)
    told = read_statement(document)
    if told.application != application.slug:
        raise InvalidInput(
            {"document": [f"It is of the application {told.application[:40]!r}, not {application.slug}."]}
        )
    keys = application.signing_keys.filter(revoked_at=None)
    key = next((key for key in keys if verifies(key.public_key, signature, document)), None)
    if key is None:
        raise BadSignature(
            f"No key of {application.slug} signed exactly these bytes. Sign the file as it is sent, with a key listed there."
        )
    manifest, is_new = SignedManifest.objects.get_or_create(
        application=application, key=key, digest=hashlib.sha256(document).hexdigest(),
        defaults={"commit": told.commit, "files": told.files, "checks": told.checks, "by": by},
    )  # fmt: skip
    if is_new:
        data = {"key": key.name, "commit": told.commit, "files": len(told.files), "checks": sorted(told.checks)}
        publish_about_application(application, "application.manifest_signed", by=by, data=data)
    return manifest, is_new
