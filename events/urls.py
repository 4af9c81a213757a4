"""Addresses of the fact log."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from events import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("activity/", views.activity_page, name="activity"),
    path("activity/export.<str:form>", views.activity_export, name="activity_export"),
]
