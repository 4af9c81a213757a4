"""Whether this process lives and the system is ready: /livez, /readyz, /metrics."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterator
from typing import Any

from celery import current_app, shared_task
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from core.plugins import load_callable

BEAT_KEY = "core.beat"
BEAT_IS_LATE = 60

Check = Callable[[], dict[str, Any]]


async def livez(request: Request) -> PlainTextResponse:
    """200 as long as this process answers at all; answered beside Django, where it would queue behind the work there is."""
    return PlainTextResponse("ok", headers={"Cache-Control": "no-store"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when all that is needed to serve works, else 503; what is merely degraded is told but does not fail."""
    checks = {name: _run(load_callable(path)) for name, path in settings.READINESS_CHECKS.items()}
    ready = all(check["ok"] or not check.get("vital", False) for check in checks.values())
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


def _run(check: Check) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        result = {"ok": True, **check()}
    except Exception as error:  # a check that breaks is a check that fails
        result = {"ok": False, "error": type(error).__name__, "vital": getattr(check, "vital", False)}
    return result | {"milliseconds": round((time.perf_counter() - started) * 1000, 1)}


def check_database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"vital": True}


check_database.vital = True  # type: ignore[attr-defined]


def check_broker() -> dict[str, Any]:
    """Work goes on by sweeps when the broker is away, only slower: degraded, not down."""
    with current_app.connection_for_read() as broker:
        broker.ensure_connection(max_retries=1, timeout=1)
    return {}


def check_beat() -> dict[str, Any]:
    seen = cache.get(BEAT_KEY)
    age = None if seen is None else round(time.time() - seen, 1)
    return {"ok": age is not None and age < BEAT_IS_LATE, "age_seconds": age}


@shared_task(name="core.heartbeat")
def heartbeat() -> None:
    """Beat asked and a worker answered: both live."""
    cache.set(BEAT_KEY, time.time(), timeout=None)


class Gauges(Collector):
    """What the METRICS setting reads from the database, when asked."""

    def collect(self) -> Iterator[Metric]:
        for path in settings.METRICS:
            yield from load_callable(path)()


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics: this process's requests, and the system's gauges.

    With METRICS_TOKEN only for who sends it as a bearer token; without, for everyone in the demo and nobody in production.
    """
    if not _may_read_metrics(request):
        return HttpResponse("Send METRICS_TOKEN as a bearer token.\n", content_type="text/plain", status=403)
    gauges = CollectorRegistry()
    gauges.register(Gauges())
    return HttpResponse(generate_latest() + generate_latest(gauges), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    if not settings.METRICS_TOKEN:
        return bool(settings.DEMO)
    given = request.headers.get("Authorization", "")
    return hmac.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
