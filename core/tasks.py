"""Celery finds core's tasks here."""

from core.health import heartbeat

__all__ = ["heartbeat"]
