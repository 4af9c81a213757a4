"""Addresses of the fact log and of notices."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from events import notice_views, views, webhooks

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("events.api.urls")),
    path("webhooks/<str:kind>/<uuid:key>", webhooks.webhook, name="webhook_in"),
    path("activity/", views.activity_page, name="activity"),
    path("activity/export.<str:form>", views.activity_export, name="activity_export"),
    path("profile/preferences/", notice_views.preferences, name="preferences"),
    path("notices/mute/", notice_views.mute, name="mute"),
    path("notices/unsubscribe/<str:token>/", notice_views.unsubscribe, name="unsubscribe"),
]
