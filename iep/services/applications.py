"""Applications: opened for a tenant, found again, changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from django.db import transaction

from accounts.models import Tenant, User
from core.errors import InvalidInput
from iep import permissions, storage
from iep.errors import UnknownTicket
from iep.models import RESERVED_SLUGS, SLUG, Application, Blob, Release
from iep.selectors import find_with_ticket
from iep.services.facts import publish_about_application
from iep.services.releases import publish_baseline
from iep.types import File
from iep.validation import TICKET_KEY, check_files
from tickets.models import Project, Ticket
from tickets.permissions import check_can_edit
from tickets.services import open_ticket
from tickets.types import TicketContent


@transaction.atomic
def ensure_application(
    *,
    tenant: Tenant,
    slug: str,
    by: User,
    name: str = "",
    project: Project | None = None,
    page: str = "",
    sign_off: bool = True,
    policies: Sequence[str] = (),
    repository: str = "",
) -> Application:
    """The tenant's application with this slug, made when there is none; leaves `application.opened` then.

    An existing one stays as it is. NotAllowed without the right to release, InvalidInput for a slug that is taken by
    another tenant or cannot stand in an address.
    """
    found = Application.objects.select_related("tenant", "project").filter(slug=slug).first()
    if found is not None and found.tenant_id == tenant.pk:
        return found
    if found is not None or not re.fullmatch(SLUG, slug) or slug in RESERVED_SLUGS:
        raise InvalidInput(
            {"app": [f"{slug[:40]!r} is taken or no name for an address. Choose another, such as shop."]}
        )
    application = Application(
        tenant=tenant, slug=slug, name=name or slug, project=project, page=page, sign_off=sign_off,
        policies=list(policies), repository=repository,
    )  # fmt: skip
    permissions.check_can_release(by, application)
    application.save(force_insert=True)
    publish_about_application(application, "application.opened", by=by)
    return application


def publish_files(*, application: Application, files: dict[str, bytes], by: User, reason: str = "") -> Release | None:
    """Production becomes exactly these files (path -> bytes); None when it is that already. See publish_baseline."""
    permissions.check_can_release(by, application)
    listed = [File(path, hashlib.sha256(content).hexdigest(), len(content)) for path, content in files.items()]
    check_files(listed, ())
    for file in listed:
        storage.put(file.digest, [files[file.path]])
    Blob.objects.bulk_create(
        (
            Blob(application=application, digest=file.digest, size=file.size)
            for file in {f.digest: f for f in listed}.values()
        ),
        ignore_conflicts=True,
    )
    there = dict(application.modules.values_list("path", "digest"))
    if there == {file.path: file.digest for file in listed}:
        return None
    contents = {file.path: (file.digest, file.size) for file in listed}
    return publish_baseline(application=application, files=contents, by=by, reason=reason)


def place_of(*, slug: str, key: str, by: User) -> tuple[Application, Ticket]:
    """The application, and its tenant's ticket with this key; a new one in its project when the caller may open tickets.

    NotFound for an application that the caller may not see, NotAllowed without the right to stamp, InvalidInput for what
    is no key, UnknownTicket when there is no such ticket and none can be opened.
    """
    application, ticket = find_with_ticket(by, slug, key.strip())
    permissions.check_can_stamp(by, application)
    key = clean_key(key)
    return application, ticket or _open(application, key, by)


def ticket_for(*, application: Application, key: str, by: User) -> Ticket:
    """As `place_of`, for who has the application already."""
    return place_of(slug=application.slug, key=key, by=by)[1]


def _open(application: Application, key: str, by: User) -> Ticket:
    if application.project is None:
        raise UnknownTicket(f"{application.tenant.slug} has no ticket {key}. Open it first.")
    check_can_edit(by, application.tenant)
    return open_ticket(
        project=application.project, content=TicketContent(title=f"{key} on {application.name}"), by=by, key=key
    )


def clean_key(key: str) -> str:
    """TKT-001 for tkt-001; InvalidInput for what is no key."""
    key = key.strip().upper()
    if not TICKET_KEY.fullmatch(key):
        raise InvalidInput({"ticket": [f"{key[:40]!r} is no ticket key such as TKT-001."]})
    return key
