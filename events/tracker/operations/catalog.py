"""The operations of CatalogService."""

from __future__ import annotations

from core.errors import InvalidInput
from events.models import CatalogEntry
from events.tracker import catalog
from events.tracker.access import READ, WRITE, Caller
from events.tracker.compliance import judge_versions
from events.tracker.operations.table import operation
from events.tracker.wire.codec import Plain
from events.tracker.wire.messages import catalog_content, catalog_plain

MAX_ENTRIES = 1000


@operation("catalog", "CreateUpdateCatalog", WRITE)
def create_update_catalog(caller: Caller, request: Plain) -> Plain:
    tenant = caller.writable(request.get("tenant", ""))
    return _answer(catalog.put_entry(tenant=tenant, content=catalog_content(request), by=caller.actor))


@operation("catalog", "GetCatalog", READ)
def get_catalog(caller: Caller, request: Plain) -> Plain:
    return _answer(_visible(caller, request))


@operation("catalog", "DeleteCatalog", WRITE)
def delete_catalog(caller: Caller, request: Plain) -> Plain:
    entry = _visible(caller, request)
    catalog.delete_entry(entry=entry, by=caller.actor)
    return {"message": "catalog deleted", "name": entry.name}


@operation("catalog", "ListCatalogs", READ)
def list_catalogs(caller: Caller, request: Plain) -> Plain:
    entries = CatalogEntry.objects.filter(tenant_id__in=caller.readable(request.get("tenant", "")))
    for name in ("type", "owner"):
        if request.get(name):
            entries = entries.filter(**{name: request[name]})
    size = min(request.get("per_page") or MAX_ENTRIES, MAX_ENTRIES)
    start = (max(request.get("page") or 1, 1) - 1) * size
    found = list(entries[start : start + size])
    total = entries.count() if start or len(found) == size else len(found)
    return {"catalogs": [catalog_plain(entry) for entry in found], "total_count": total}


@operation("catalog", "GetVersionCompliance", READ)
def get_version_compliance(caller: Caller, request: Plain) -> Plain:
    return judge_versions(caller.readable(request.get("tenant", "")), request.get("types") or [])


@operation("catalog", "UpdateVersions", WRITE)
def update_versions(caller: Caller, request: Plain) -> Plain:
    entry = _visible(caller, request)
    return _answer(catalog.put_versions(entry=entry, content=request, by=caller.actor))


@operation("catalog", "UpdateDependencies", WRITE)
def update_dependencies(caller: Caller, request: Plain) -> Plain:
    entry = _visible(caller, request)
    return _answer(catalog.put_dependencies(entry=entry, content=request, by=caller.actor))


def _visible(caller: Caller, request: Plain) -> CatalogEntry:
    if not request.get("name"):
        raise InvalidInput({"name": ["name is required"]})
    return catalog.find_entry(caller.readable(request.get("tenant", "")), request["name"])


def _answer(entry: CatalogEntry) -> Plain:
    return {"catalog": catalog_plain(entry)}
