"""The core app, and Django's admin with our site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class CoreConfig(AppConfig):
    name = "core"


class StagepassAdminConfig(AdminConfig):
    default_site = "core.admin.StagepassAdminSite"
