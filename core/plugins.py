"""Plug-ins by name: one settings entry {name: {"BACKEND": dotted path, "OPTIONS": {...}}} makes one instance."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


def load_plugin(setting: str, name: str) -> Any:
    """The plug-in `name` of the settings dictionary `setting`; ImproperlyConfigured names what is missing."""
    table = getattr(settings, setting, {})
    if name not in table:
        known = ", ".join(sorted(table)) or "none"
        raise ImproperlyConfigured(f"{setting} has no entry {name!r}; it has: {known}.")
    entry = table[name]
    try:
        factory = import_string(entry["BACKEND"])
    except (ImportError, KeyError) as error:
        raise ImproperlyConfigured(f"{setting}[{name!r}] cannot be loaded: {error}.") from error
    return factory(**entry.get("OPTIONS", {}))


@cache
def load_callable(path: str) -> Any:
    """The callable at a dotted path, imported once."""
    return import_string(path)
