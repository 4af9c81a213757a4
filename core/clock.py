"""The one clock."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone


def now() -> dt.datetime:
    """This moment, aware, in UTC."""
    return timezone.now()
