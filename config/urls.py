"""All addresses, app by app."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from core.problems import nothing_here

handler400 = "core.problems.bad_request"
handler500 = "core.problems.server_error"

admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    # First, because they are asked thousands of times a minute and nobody else's addresses begin like this.
    path("api/v1alpha1/", include("events.tracker.urls")),
    path("v1/iep/", include("iep.api.urls")),
    path("", include("core.urls")),
    path("", include("accounts.urls")),
    path("", include("promotions.urls")),
    path("", include("iep.urls")),
    path("", include("tickets.urls")),
    path("", include("events.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    # Last: whatever else is asked of the API is a problem+json, never a page.
    re_path(r"^v1(?:/(?P<rest>[\s\S]*))?$", nothing_here),
]
