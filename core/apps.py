"""The core app: no models, only shared machinery."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"
