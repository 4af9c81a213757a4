"""Pytest plug-in: the servers of a test run, started before Django's settings are read, stopped at its end."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest

from config.stack.postgres import PostgresServer
from config.stack.valkey import ValkeyServer

_running = contextlib.ExitStack()


def _start() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    os.environ.setdefault("SECRET_KEY", "tests-" + secrets.token_urlsafe(48))
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    if "STAGEPASS_STATE" not in os.environ:
        place = tempfile.mkdtemp(prefix="stagepass-tests-")
        _running.callback(shutil.rmtree, place, ignore_errors=True)
        os.environ["STAGEPASS_STATE"] = place
    state = Path(os.environ["STAGEPASS_STATE"])
    if "DATABASE_URL" not in os.environ:
        postgres = PostgresServer(state / "postgres", fsync=False)
        _running.callback(postgres.stop)
        os.environ["DATABASE_URL"] = postgres.start()
    if "BROKER_URL" not in os.environ:
        valkey = ValkeyServer(state / "valkey")
        _running.callback(valkey.stop)
        os.environ["BROKER_URL"] = valkey.start() + "/0"
        os.environ["CACHE_URL"] = os.environ["BROKER_URL"].removesuffix("/0") + "/1"
    os.environ.setdefault("EMAIL_URL", "memorymail://")
    _have_own_cache()


def _have_own_cache() -> None:
    """Each of the runs side by side empties its own cache only."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        server = os.environ["CACHE_URL"].rpartition("/")[0]
        os.environ["CACHE_URL"] = f"{server}/{2 + int(worker.removeprefix('gw'))}"


_start()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _running.close()
