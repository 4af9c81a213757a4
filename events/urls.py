"""Addresses of the fact log and of notices."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from events import notice_views, views
from events.chain import page as chain_page
from events.measures import page as measures_page

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("events.chain.api.urls")),
    path("events/measures/", measures_page.measures_page, name="measures"),
    path("chain/<str:kind>/<path:key>/", chain_page.chain_page, name="chain"),
    path("events/", include("events.tracker.pages.urls")),
    path("activity/", views.activity_page, name="activity"),
    path("activity/export.<str:form>", views.activity_export, name="activity_export"),
    path("profile/preferences/", notice_views.preferences, name="preferences"),
    path("notices/mute/", notice_views.mute, name="mute"),
    path("notices/unsubscribe/<str:token>/", notice_views.unsubscribe, name="unsubscribe"),
]
