"""Celery: housekeeping of accounts."""

from __future__ import annotations

from celery import shared_task

from accounts.idempotency import forget_keys


@shared_task(name="accounts.forget_idempotency_keys")
def forget_idempotency_keys() -> int:
    return forget_keys()
