"""Addresses of promotion requests: pages, REST and callbacks."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("promotions.api.urls")),
]
