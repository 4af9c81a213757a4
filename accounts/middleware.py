"""Middleware: times on pages are in the person's own zone; single sign-on may lead away from here."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from core.console import is_other_face


class TimeZoneMiddleware:
    """Forms take times, and pages show them, in the zone on the person's profile."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_other_face(request) or not request.user.is_authenticated:
            return self.get_response(request)
        try:
            zone = zoneinfo.ZoneInfo(request.user.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            zone = zoneinfo.ZoneInfo("UTC")
        with timezone.override(zone):
            return self.get_response(request)


class SingleSignOnMiddleware:
    """Lets the one form that starts single sign-on lead to the provider, and to wherever that one sends people on.

    Browsers hold the policy of a form against every redirect that follows it. The page holds no secret to be sent away.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        match = request.resolver_match
        if match is not None and match.url_name in self.pages:
            response._csp_update = {"form-action": self.ways}  # type: ignore[attr-defined]
        return response

    @property
    def pages(self) -> set[str]:
        return {f"{provider}_login" for provider in settings.SOCIALACCOUNT_PROVIDERS}

    @property
    def ways(self) -> list[str]:
        """Any place over TLS, and the configured server as it is, for trying things out."""
        apps = settings.SOCIALACCOUNT_PROVIDERS.get("openid_connect", {}).get("APPS", [])
        servers = [urlsplit(app["settings"]["server_url"]) for app in apps]
        return ["https:", *(f"{server.scheme}://{server.netloc}" for server in servers if server.scheme == "http")]
