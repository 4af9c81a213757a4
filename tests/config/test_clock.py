"""Beat's own application rings for tasks that the workers know, and stays small."""

from __future__ import annotations

import subprocess
import sys

from config import celery, clock


def test_it_rings_only_for_tasks_that_workers_know():
    celery.app.loader.import_default_modules()
    rung = {entry["task"] for entry in clock.app.conf.beat_schedule.values()}
    assert len(rung) > 5
    assert rung <= set(celery.app.tasks)
    assert clock.app.conf.broker_url == celery.app.conf.broker_url


def test_it_does_not_carry_django():
    code = "import sys, config.clock; print('django.apps' in sys.modules, 'django.db' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
