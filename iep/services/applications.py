"""Applications: opened for a tenant, found again, changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from django.db import transaction

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import has_capability
from core.errors import InvalidInput
from core.rows import columns
from core.sql import run
from iep import permissions, storage
from iep.errors import UnknownTicket
from iep.models import RESERVED_SLUGS, SLUG, Application, Blob, Release
from iep.services.facts import publish_about_application
from iep.services.releases import publish_baseline
from iep.types import File
from iep.validation import TICKET_KEY, check_files
from tickets.models import Project, Ticket
from tickets.permissions import check_can_edit
from tickets.services import open_ticket
from tickets.services.change import read_ticket
from tickets.types import TicketContent

_TICKET = f"""
SELECT {columns(Ticket, "ticket")}, {columns(Project, "project")}
FROM tickets_ticket ticket JOIN tickets_project project ON project.id = ticket.project_id
WHERE ticket.tenant_id = %s AND UPPER(ticket.key) = UPPER(%s)
"""  # noqa: S608 (our own columns)


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


def ticket_for(*, application: Application, key: str, by: User) -> Ticket:
    """The application's tenant's ticket with this key; a new one in its project when the caller may open tickets.

    UnknownTicket when there is none and none can be opened, InvalidInput for what is no key.
    """
    key = clean_key(key)
    rows = run(_TICKET, [application.tenant_id, key])
    if rows and has_capability(by, Capability.VIEW_TICKETS, application.tenant_id):
        return read_ticket(rows[0], application.tenant)
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
