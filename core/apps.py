"""The core app, and Django's admin with our site."""

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class CoreConfig(AppConfig):
    name = "core"


class StagepassAdminConfig(SimpleAdminConfig):
    """Registers nothing by itself: only what answers addresses needs the admin's pages (config/urls.py)."""

    default_site = "core.admin.StagepassAdminSite"
