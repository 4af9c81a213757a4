"""Projects: found by key, made when a ticket names a new one, and their settings."""

from __future__ import annotations

import re
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import home_tenant, tenants_where
from core.errors import Conflict, InvalidInput, NotAllowed
from core.rows import build, columns, width
from core.sql import run
from tickets import permissions
from tickets.models import Project
from tickets.models.projects import tenant_ids
from tickets.services.facts import publish_about_project
from tickets.validation import clean_prefix, clean_project_key, clean_settings


def ensure_project(*, key: str, by: User, tenant: Tenant | None = None) -> Project:
    """The project with this key, made in `tenant` (default: the caller's home tenant) when there is none yet.

    Only projects whose tickets the caller may change count. InvalidInput for a key that names none well, NotAllowed
    without the right to change tickets, Conflict (ambiguous_key) when several tenants have it and none is named.
    """
    key = clean_project_key(key)
    if tenant is not None:
        permissions.check_can_edit(by, tenant)
    found = _find(key, [tenant.pk] if tenant is not None else tenant_ids(by, Capability.EDIT_TICKETS))
    if len(found) == 1:
        return found[0]
    mine = tenants_where(by, Capability.EDIT_TICKETS)
    home = tenant or home_tenant(by, mine)
    if home is None and not found:
        raise _no_home(by)
    for project in found:
        if project.tenant == home:
            return project
    if found:
        raise _ambiguous(key, found)
    assert home is not None
    return create_project(key=key, tenant=home, by=by)


# Raw, because each ticket that is opened by its project's name asks it.
_FIND = f"""
SELECT {columns(Project, "project")}, {columns(Tenant, "tenant")}
FROM tickets_project AS project JOIN accounts_tenant AS tenant ON tenant.id = project.tenant_id
WHERE UPPER(project.key) = UPPER(%(key)s::text)
  AND (%(tenants)s::bigint[] IS NULL OR project.tenant_id = ANY(%(tenants)s::bigint[]))
ORDER BY project.key, project.id LIMIT 50
"""  # noqa: S608 (our own columns)


def _find(key: str, tenants: list[int] | None) -> list[Project]:
    """The projects with this key in these tenants (None: in all), their tenant loaded."""
    found = []
    for row in run(_FIND, {"key": key, "tenants": tenants}):
        project = build(Project, row[: width(Project)])
        project.tenant = build(Tenant, row[width(Project) :])
        found.append(project)
    return found


def _no_home(by: User) -> Exception:
    if tenants_where(by, Capability.EDIT_TICKETS).exists():
        return InvalidInput({"tenant": ["You belong to no single tenant: name the one this project is for."]})
    return NotAllowed(
        "You may not change tickets anywhere. Ask a tenant admin for a role that may.", code="not_authorized"
    )


def _ambiguous(key: str, found: list[Project]) -> Conflict:
    tenants = sorted(project.tenant.slug for project in found)
    return Conflict(
        f"Several tenants have a project {key}: {', '.join(tenants)}. Name the tenant.",
        code="ambiguous_key",
        field="tenant",
        details={"tenants": tenants},
    )


def create_project(*, key: str, tenant: Tenant, by: User, name: str = "", prefix: str = "") -> Project:
    """A project; the prefix of its ticket keys is made from its key unless given. Making it twice gives the same one.

    NotAllowed without the right to change tickets, Conflict (prefix_taken) for a given prefix that another one has.
    """
    permissions.check_can_edit(by, tenant)
    key = clean_project_key(key)
    for number in range(1, 100):
        wanted = clean_prefix(prefix) if prefix else _prefix_from(key, number)
        try:
            with transaction.atomic():
                return Project.objects.create(tenant=tenant, key=key, name=name or key, prefix=wanted)
        except IntegrityError:
            existing = Project.objects.select_related("tenant").filter(tenant=tenant, key__iexact=key).first()
            if existing is not None:
                return existing
            if prefix:
                break
    raise Conflict(f"Another project has the prefix {wanted}. Choose another.", code="prefix_taken", field="prefix")


def _prefix_from(key: str, number: int) -> str:
    letters = re.sub(r"[^A-Z0-9]", "", key.rpartition("/")[2].upper())[:8] or "T"
    letters = letters if letters[0].isalpha() else f"T{letters}"
    return letters if number == 1 else f"{letters}{number}"


@transaction.atomic
def edit_project(
    *, project: Project, by: User, name: str | None = None, settings: dict[str, Any] | None = None
) -> Project:
    """Change its name and settings; settings not named keep their value, None sets one back to the default.

    Leaves `project.changed` with what was set before and after. NotAllowed without the right to decide on tickets: the
    settings hold for everyone.
    """
    permissions.check_is_decider(by, project.tenant)
    current = Project.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant").get(pk=project.pk)
    before = {"name": current.name, "settings": current.settings}
    if name is not None:
        current.name = name.strip()[:200] or current.key
    if settings is not None:
        clean_settings({key: value for key, value in settings.items() if value is not None})
        merged = current.settings | settings
        current.settings = {key: value for key, value in merged.items() if value is not None}
    after = {"name": current.name, "settings": current.settings}
    if after != before:
        current.save(update_fields=["name", "settings"])
        publish_about_project(current, "project.changed", by=by, data={"before": before, "after": after})
    return current


def next_key(project: Project) -> str:
    """The next generated key; the counter's row lock is held until the commit."""
    Project.objects.filter(pk=project.pk).update(last_number=F("last_number") + 1)
    project.refresh_from_db(fields=["last_number"])
    return f"{project.prefix}-{project.last_number:03d}"
