"""The addresses of Tracker's REST interface, each a method and the operation it calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


def _nothing(body: Json) -> Json:
    return {}


def _event_beside(body: Json) -> Json:
    """What the guide's answers have outermost, where Tracker's have it within `event`."""
    event = body["event"]
    return {
        "id": event["metadata"]["id"],
        "title": event["title"],
        "createdAt": event["metadata"]["createdAt"],
    }


def _lock_beside(body: Json) -> Json:
    return {"id": body["lock"]["id"]}


@dataclass(frozen=True, slots=True)
class Route:
    """`method path` -> operation; `body`: the request is the body's JSON, else the query."""

    method: str
    path: str
    package: str
    operation: str
    body: bool = False
    beside: Callable[[Json], Json] = _nothing


# `slackId` of a search, list or other answer is inside; only answers with one thing are told twice.
ROUTES = [
    Route("POST", "event", "event", "CreateEvent", True, _event_beside),
    Route("PUT", "event", "event", "UpdateEvent", True, _event_beside),
    Route("GET", "event/<path_id:id>", "event", "GetEvent", False, _event_beside),
    Route("DELETE", "event/<path_id:id>", "event", "DeleteEvents"),
    Route("GET", "event/<path_id:id>/changelog", "event", "GetEventChangelog"),
    Route("POST", "event/<path_id:id>/changelog", "event", "AddChangelogEntry", True, _event_beside),
    Route("POST", "event/<path_id:id>/slack", "event", "AddSlackId", True, _event_beside),
    Route("GET", "events/list", "event", "ListEvents"),
    Route("GET", "events/search", "event", "SearchEvents"),
    Route("GET", "events/today", "event", "TodayEvents"),
    Route("GET", "events/stats", "event", "GetEventStats"),
    Route("GET", "events/stats/monthly", "event", "GetEventStatsByMonth"),
    Route("POST", "lock", "lock", "CreateLock", True, _lock_beside),
    Route("GET", "lock/<path_id:id>", "lock", "GetLock", False, _lock_beside),
    Route("PUT", "lock/<path_id:id>", "lock", "UpdateLock", True, _lock_beside),
    Route("DELETE", "lock/<path_id:id>", "lock", "UnLock"),
    Route("GET", "unlock/<path_id:id>", "lock", "UnLock"),
    Route("GET", "locks/list", "lock", "ListLocks"),
    Route("PUT", "catalog", "catalog", "CreateUpdateCatalog", True),
    Route("GET", "catalog", "catalog", "GetCatalog"),
    Route("DELETE", "catalog", "catalog", "DeleteCatalog"),
    Route("GET", "catalogs/list", "catalog", "ListCatalogs"),
    Route("GET", "catalog/version-compliance", "catalog", "GetVersionCompliance"),
    Route("PUT", "catalog/<path_id:name>/versions", "catalog", "UpdateVersions", True),
    Route("PUT", "catalog/<path_id:name>/dependencies", "catalog", "UpdateDependencies", True),
]
