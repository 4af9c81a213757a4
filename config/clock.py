"""Celery beat's own application: it only rings at the times of the schedule, so it does without Django."""

from __future__ import annotations

import logging.config
from typing import Any

from celery import Celery
from celery.signals import setup_logging

from config.settings import work
from config.settings.logs import LOGGING

app = Celery("stagepass", fixups=[])
app.config_from_object(work, namespace="CELERY")


@setup_logging.connect
def _log_like_everybody(**_: Any) -> None:
    logging.config.dictConfig(LOGGING)
