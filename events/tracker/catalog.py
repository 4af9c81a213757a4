"""Verbs on the catalogue: enter or change an entry, its versions and dependencies, delete it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accounts.models import Tenant
from core.clock import now
from core.errors import NotFound
from events.models import CatalogEntry
from events.tracker.content import Faults
from events.tracker.facts import CATALOG, Told, tell
from events.tracker.rights import Actor, check_can_record
from events.tracker.vocabulary import CatalogType
from events.types import Subject

_TEXTS = {
    "name": 200, "owner": 200, "version": 200, "link": 2000, "description": 20_000, "repository": 2000,
    "latest_version": 200, "reference_version": 200,
}  # fmt: skip
_LISTS = ("dependencies_in", "dependencies_out", "available_versions")
_NUMBERS = ("type", "languages", "platform")
_DOCUMENTS = (
    "sla", "used_deliverables", "communication_channels", "dashboard_links", "vulnerability_summary",
    "infrastructure_resources",
)  # fmt: skip
_REQUIRED = ("name", "owner", "version")
_VERSIONS = ("available_versions", "latest_version", "reference_version")
_DEPENDENCIES = ("dependencies_in", "dependencies_out")


def find_entry(tenants: list[int], name: str) -> CatalogEntry:
    """The entry of this name in these tenants (the first, where several have one); else NotFound."""
    entry = CatalogEntry.objects.filter(tenant_id__in=tenants, name=name).first() if "\x00" not in name else None
    if entry is None:
        raise NotFound(f"no catalog found with name {name[:100]!r}", details={"kind": "catalog"})
    return entry


def put_entry(*, tenant: Tenant, content: Mapping[str, Any], by: Actor) -> CatalogEntry:
    """Enter a service or deliverable, or change the one of this name; leaves `catalog.entered` or `catalog.updated`.

    Fields that `content` does not have stay as they are. InvalidInput names every fault.
    """
    check_can_record(by, tenant.pk)
    clean = _clean({name: value for name, value in content.items() if name not in _VERSIONS})
    with transaction.atomic():
        known = CatalogEntry.objects.select_for_update(of=("self",)).filter(tenant=tenant, name=clean.get("name", ""))
        entry = known.first()
        created = entry is None
        entry = entry or CatalogEntry(tenant=tenant)
        for name, value in clean.items():
            setattr(entry, name, value)
        _check_complete(entry)
        entry.updated_at = now()
        if created:
            entry = _insert(entry, clean)
        else:
            entry.save()
        tell(tenant.pk, by, [_told("catalog.entered" if created else "catalog.updated", entry)])
    return entry


def _insert(entry: CatalogEntry, clean: dict[str, Any]) -> CatalogEntry:
    """Write a new entry; if someone entered the same name at the same moment, theirs is changed to this one."""
    entry.created_at = entry.updated_at
    saved = CatalogEntry.objects.bulk_create(
        [entry],
        update_conflicts=True,
        unique_fields=["tenant", "name"],
        update_fields=[*(name for name in clean if name != "name"), "updated_at"],
    )
    return CatalogEntry.objects.get(tenant=saved[0].tenant, name=entry.name)


def put_versions(*, entry: CatalogEntry, content: Mapping[str, Any], by: Actor) -> CatalogEntry:
    """Set the versions that are given; leaves `catalog.updated`."""
    return _put_some(entry, {name: content[name] for name in _VERSIONS if name in content}, by)


def put_dependencies(*, entry: CatalogEntry, content: Mapping[str, Any], by: Actor) -> CatalogEntry:
    """Set the dependencies that are given; leaves `catalog.updated`."""
    return _put_some(entry, {name: content[name] for name in _DEPENDENCIES if name in content}, by)


def _put_some(entry: CatalogEntry, content: Mapping[str, Any], by: Actor) -> CatalogEntry:
    check_can_record(by, entry.tenant_id)
    clean = _clean(content)
    with transaction.atomic():
        held = CatalogEntry.objects.select_for_update(of=("self",)).filter(pk=entry.pk).first()
        if held is None:
            raise NotFound(f"no catalog found with name {entry.name!r}", details={"kind": "catalog"})
        for name, value in clean.items():
            setattr(held, name, value)
        held.updated_at = now()
        held.save(update_fields=[*clean, "updated_at"])
        tell(held.tenant_id, by, [_told("catalog.updated", held, changed=sorted(clean))])
    return held


def delete_entry(*, entry: CatalogEntry, by: Actor) -> None:
    """Remove the entry; leaves `catalog.deleted`. NotFound when it is gone already."""
    check_can_record(by, entry.tenant_id)
    with transaction.atomic():
        if not CatalogEntry.objects.filter(pk=entry.pk).delete()[0]:
            raise NotFound(f"no catalog found with name {entry.name!r}", details={"kind": "catalog"})
        tell(entry.tenant_id, by, [_told("catalog.deleted", entry)])


def _clean(content: Mapping[str, Any]) -> dict[str, Any]:
    faults = Faults()
    clean: dict[str, Any] = {}
    for name, value in content.items():
        if name in _TEXTS:
            clean[name] = faults.text(name, value, _TEXTS[name]).strip()
        elif name in _LISTS:
            clean[name] = faults.texts(name, value)
        elif name in _NUMBERS or name in _DOCUMENTS:
            clean[name] = value
    if "type" in clean:
        clean["type"] = faults.word("type", clean["type"], CatalogType)
    for name in ("languages", "platform"):
        if not 0 <= clean.get(name, 0) <= 100:
            faults.add(name, f"{clean[name]} is not a valid value for {name}.")
    for name in ("link", "repository"):
        if ":" in clean.get(name, "") and clean[name].lower().startswith(("javascript:", "data:", "vbscript:")):
            faults.add(name, f"{name} must be an address such as https://example.com.")
    faults.stop()
    return clean


def _check_complete(entry: CatalogEntry) -> None:
    faults = Faults()
    for name in _REQUIRED:
        if not getattr(entry, name):
            faults.add(name, f"{name} is required")
    faults.stop()


def _told(type: str, entry: CatalogEntry, **data: Any) -> Told:
    content = {"type": CatalogType(entry.type).name, "owner": entry.owner, "version": entry.version}
    return Told(type, Subject(CATALOG, entry.name, entry.name), content | data)
