"""Addresses of promotion requests: pages, REST and callbacks."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
