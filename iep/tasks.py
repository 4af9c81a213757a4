"""Celery: mirrors of repositories, the import graph, maps that are needed no more, stamps that nobody touches."""

from __future__ import annotations

from celery import shared_task

from core.context import acting_through
from iep.services import remind_of_stale_stamps, upkeep


@shared_task(name="iep.sweep_mirrors")
def sweep_mirrors() -> int:
    with acting_through("system"):
        return upkeep.fetch_mirrors()


@shared_task(name="iep.sweep_imports")
def sweep_imports() -> int:
    """Only hints depend on it, so a save does not wait to ring for it."""
    return upkeep.read_graph()


@shared_task(name="iep.forget_old_maps")
def forget_old_maps() -> int:
    return upkeep.forget_maps()


@shared_task(name="iep.remind_of_stale")
def remind_of_stale() -> int:
    with acting_through("system"):
        return remind_of_stale_stamps()
