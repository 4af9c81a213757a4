"""Addresses of import maps: entry points and the control panel. Those of REST: iep/api/urls.py."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from iep.models import SLUG
from iep.views import entry, login, panel, signing

_APP = rf"(?P<app>{SLUG})"

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(rf"^apps/{_APP}/(?P<rest>.*)$", entry.entry_page, name="entry_page"),
    re_path(rf"^iep/m/{_APP}/(?P<path>.+)$", entry.entry_file, name="entry_file"),
    path("iep/login/", login.login, name="iep_login"),
    re_path(rf"^iep/{_APP}/map\.(?P<form>json|js)$", entry.entry_map, name="entry_map"),
    re_path(rf"^iep/{_APP}/resolve$", entry.resolve, name="entry_resolve"),
    path("iep/", panel.application_list, name="iep"),
    re_path(rf"^iep/{_APP}/$", panel.application_detail, name="iep_application"),
    re_path(rf"^iep/{_APP}/signatures/$", signing.signatures, name="iep_signatures"),
    re_path(rf"^iep/{_APP}/signatures/(?P<key>[0-9]{{1,18}})/revoke/$", signing.revoke_key, name="iep_revoke_key"),
    re_path(rf"^iep/{_APP}/together/$", panel.preview_together, name="iep_together"),
    re_path(rf"^iep/{_APP}/(?P<ticket>[^/]+)/$", panel.stamp_detail, name="iep_stamp"),
    re_path(rf"^iep/{_APP}/(?P<ticket>[^/]+)/(?P<verb>[a-z]+)/$", panel.stamp_verb, name="iep_verb"),
]
