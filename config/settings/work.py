"""Celery: work in the background. The database is the truth, the broker a doorbell. Read without Django, too."""

from __future__ import annotations

from celery.schedules import crontab

from config import env

CELERY_BROKER_URL = env.text("BROKER_URL")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than the longest task, or a task would run twice at the same time.
    "visibility_timeout": 900,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_keepalive": True,
    "socket_connect_timeout": 2,
    "socket_timeout": 30,
    "health_check_interval": 25,
}
CELERY_TIMEZONE = "UTC"
# Connections are looked after before each task (core/doorbell.py), so Celery need not close them after it.
CELERY_DB_REUSE_MAX = 10**9
CELERY_BEAT_SCHEDULE = {
    "sweep facts": {"task": "events.sweep", "schedule": 15.0},
    "sweep received webhooks": {"task": "events.sweep_inbound", "schedule": 15.0},
    "sweep locks": {"task": "events.sweep_locks", "schedule": 30.0},
    "forget old events": {"task": "events.forget_old_events", "schedule": 3600.0},
    "sweep deployments": {"task": "promotions.sweep_deployments", "schedule": 5.0},
    "sweep due dates": {"task": "promotions.sweep_due_dates", "schedule": 5.0},
    "forget idempotency keys": {"task": "accounts.forget_idempotency_keys", "schedule": 3600.0},
    "sweep reminders": {"task": "promotions.sweep_reminders", "schedule": 15.0},
    "sweep slack calls": {"task": "events.sweep_slack_calls", "schedule": 15.0},
    "sweep webhooks": {"task": "events.sweep_endpoints", "schedule": 30.0},
    "remind of overdue tickets": {"task": "tickets.remind_of_overdue", "schedule": 300.0},
    "sweep mirrors": {"task": "iep.sweep_mirrors", "schedule": 60.0},
    "sweep imports": {"task": "iep.sweep_imports", "schedule": 15.0},
    "forget old maps": {"task": "iep.forget_old_maps", "schedule": 3600.0},
    "remind of stale stamps": {"task": "iep.remind_of_stale", "schedule": 900.0},
    "remind of ends": {"task": "events.remind", "schedule": 300.0},
    "follow chain": {"task": "events.follow_chain", "schedule": 15.0},
    "sweep digests": {"task": "events.sweep_digests", "schedule": 15.0},
    "push audit": {"task": "promotions.push_audit", "schedule": 15.0},
    "pack audit": {"task": "promotions.pack_audit", "schedule": crontab(hour=3, minute=17)},
    "sweep workers": {"task": "tickets.sweep_workers", "schedule": 15.0},
    "beat is alive": {"task": "core.heartbeat", "schedule": 10.0},
}
