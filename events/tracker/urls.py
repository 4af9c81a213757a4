"""Addresses of Tracker's REST interface, below /api/v1alpha1/."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path, register_converter

from events.tracker.api import transfer
from events.tracker.api.routes import ROUTES, Route
from events.tracker.api.views import TrackerView, nothing_here
from events.tracker.operations import catalog, events, locks

__all__ = ["catalog", "events", "locks", "urlpatterns"]


class PathId:
    """An id within a path: anything but a slash."""

    regex = r"[^/]{1,400}"

    def to_python(self, value: str) -> str:
        return value

    to_url = to_python


register_converter(PathId, "path_id")


def _patterns() -> list[URLPattern]:
    by_path: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route
    return [path(address, TrackerView.as_view(routes=routes)) for address, routes in by_path.items()]


urlpatterns = [
    *_patterns(),
    path("events/batch", transfer.batch),
    path("events/export", transfer.export),
    re_path(r"^[\s\S]*$", nothing_here),
]
