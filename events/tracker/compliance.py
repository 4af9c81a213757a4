"""Whether projects use the versions of deliverables that they should."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from events.models import CatalogEntry
from events.tracker.vocabulary import CatalogType

_PART = re.compile(r"\d+|[A-Za-z]+")


def judge_versions(tenants: Sequence[int], types: Sequence[int] = ()) -> dict[str, Any]:
    """Each project's deliverables against the catalogue, and a summary, in the wire's field names.

    A use is outdated when its version is older than the deliverable's reference version (its latest one, where no
    reference is set). Deliverables the catalogue does not know, or knows no version of, count as up to date. `types`
    narrows the deliverables that are looked at; projects without any are left out.
    """
    entries = list(CatalogEntry.objects.filter(tenant_id__in=tenants).order_by("name", "pk"))
    known = {(entry.tenant_id, entry.name): entry for entry in entries}
    projects: list[dict[str, Any]] = []
    usage: dict[tuple[str, int], dict[str, Any]] = {}
    for entry in entries:
        uses = [_judge(use, known.get((entry.tenant_id, use.get("name", "")))) for use in entry.used_deliverables]
        uses = [use for use in uses if not types or use["type"] in types]
        if uses:
            projects.append(_project(entry.name, uses))
            _count(usage, uses)
    return {"projects": projects, "summary": _summary(projects, list(usage.values()))}


def judge_entry(entry: CatalogEntry) -> list[dict[str, Any]]:
    """What one entry uses, each use judged as in `judge_versions`."""
    names = [use.get("name", "") for use in entry.used_deliverables]
    known = {one.name: one for one in CatalogEntry.objects.filter(tenant_id=entry.tenant_id, name__in=names)}
    return [_judge(use, known.get(use.get("name", ""))) for use in entry.used_deliverables]


def _judge(use: dict[str, Any], entry: CatalogEntry | None) -> dict[str, Any]:
    current = use.get("versionUsed", "")
    latest, reference = (entry.latest_version, entry.reference_version) if entry else ("", "")
    wanted = reference or latest
    return {
        "name": use.get("name", ""),
        "type": entry.type if entry else CatalogType[use.get("type") or "TYPE_UNSPECIFIED"].value,
        "current_version": current,
        "latest_version": latest,
        "reference_version": reference,
        "is_outdated": bool(wanted) and is_older(current, wanted),
        "is_latest": bool(latest) and version_key(current) == version_key(latest),
    }


def _project(name: str, uses: list[dict[str, Any]]) -> dict[str, Any]:
    outdated = sum(use["is_outdated"] for use in uses)
    return {
        "project_name": name,
        "deliverables": uses,
        "outdated_count": outdated,
        "total_count": len(uses),
        "compliance_percentage": _percentage(len(uses) - outdated, len(uses)),
    }


def _count(usage: dict[tuple[str, int], dict[str, Any]], uses: list[dict[str, Any]]) -> None:
    for use in uses:
        line = usage.setdefault(
            (use["name"], use["type"]),
            {
                "name": use["name"],
                "type": use["type"],
                "projects_using": 0,
                "projects_outdated": 0,
                "latest_version": use["latest_version"],
                "reference_version": use["reference_version"],
            },
        )
        line["projects_using"] += 1
        line["projects_outdated"] += use["is_outdated"]


def _summary(projects: list[dict[str, Any]], usage: list[dict[str, Any]]) -> dict[str, Any]:
    compliant = sum(project["outdated_count"] == 0 for project in projects)
    return {
        "total_projects": len(projects),
        "compliant_projects": compliant,
        "non_compliant_projects": len(projects) - compliant,
        "overall_compliance_percentage": _percentage(compliant, len(projects)),
        "deliverable_stats": sorted(usage, key=lambda line: line["name"]),
    }


def _percentage(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 100.0


def version_key(version: str) -> tuple[Any, ...]:
    """Sorts versions as people mean them: 1.10 after 1.9, a pre-release before its release; a leading v is no matter."""
    core, _, pre = version.strip().removeprefix("v").partition("+")[0].partition("-")
    numbers = tuple(int(part) for part in re.findall(r"\d{1,18}", core))
    while numbers and numbers[-1] == 0:
        numbers = numbers[:-1]
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in _PART.findall(pre))
    return numbers, not pre, parts


def is_older(version: str, wanted: str) -> bool:
    """Whether `version` comes before `wanted`; what cannot be compared is older unless it is the same text."""
    if not re.search(r"\d", version) or not re.search(r"\d", wanted):
        return version != wanted
    return version_key(version) < version_key(wanted)
