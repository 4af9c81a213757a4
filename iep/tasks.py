"""Celery: mirrors of repositories, the import graph, maps that are needed no more."""

from __future__ import annotations

from celery import shared_task

from core.context import acting_through
from iep.services import upkeep


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
