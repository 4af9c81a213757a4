"""Addresses of import maps: entry points, the control panel and REST."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path

from iep.models import SLUG
from iep.views import entry, login

_APP = rf"(?P<app>{SLUG})"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("iep.api.urls")),
    re_path(rf"^apps/{_APP}/(?P<rest>.*)$", entry.entry_page, name="entry_page"),
    re_path(rf"^iep/m/{_APP}/(?P<path>.+)$", entry.entry_file, name="entry_file"),
    path("iep/login/", login.login, name="iep_login"),
    re_path(rf"^iep/{_APP}/map\.(?P<form>json|js)$", entry.entry_map, name="entry_map"),
    re_path(rf"^iep/{_APP}/resolve$", entry.resolve, name="entry_resolve"),
]
