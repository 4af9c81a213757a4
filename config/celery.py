"""The Celery application; every process that may ring for work imports this module."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.demo")

app = Celery("stagepass", task_cls="core.doorbell:TracedTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# For all threads: Django's run in a pool that did not import this module.
app.set_default()
