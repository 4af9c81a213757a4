"""A request id goes along: from a request to its facts, through deliveries, through the broker into tasks and log lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client, override_settings

from accounts.roles import Capability
from core.context import acting_through, request_id, surface
from events import outbox
from events.models import Delivery, DomainEvent
from events.services import publish
from events.types import Audience, Subject

ROOT = Path(__file__).parents[2]
heard: list[tuple[str, str]] = []

WORKER = """
    import json, threading, time
    import django
    django.setup()
    import structlog
    from celery.contrib.testing.worker import start_worker
    from config.celery import app
    from core.context import acting_through, request_id, surface
    from core.doorbell import ring

    seen, done = [], threading.Event()

    @app.task(name="probe")
    def probe(name):
        bound = structlog.contextvars.get_contextvars()
        seen.append([name, request_id.get(), surface.get(), bound.get("request_id"), bound.get("task")])
        if name == "first":
            ring("probe", "rung by the first")
        if len(seen) == 3:
            done.set()

    with start_worker(app, pool="threads", concurrency=1, perform_ping_check=False, loglevel="ERROR"):
        with acting_through("rest", "the-request-id"):
            assert ring("probe", "first")
        for _ in range(200):
            if len(seen) == 2:
                break
            time.sleep(0.1)
        assert ring("probe", "without")
        assert done.wait(20)
    print(json.dumps(seen))
"""


def listen(delivery: Delivery) -> None:
    heard.append((request_id.get(), surface.get()))


def test_a_task_runs_under_the_id_of_who_rang_and_hands_it_on() -> None:
    """With a real worker and broker; the third task is rung outside any request, in the same thread."""
    source = textwrap.dedent(WORKER)
    environment = os.environ | {"BROKER_URL": os.environ["BROKER_URL"].removesuffix("/0") + "/9"}
    done = subprocess.run(
        [sys.executable, "-c", source],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [
        ["first", "the-request-id", "system", "the-request-id", "probe"],
        ["rung by the first", "the-request-id", "system", "the-request-id", "probe"],
        ["without", "", "system", "", "probe"],
    ]


@pytest.fixture
def _listener():
    heard.clear()
    table = {"probe": {"facts": ("*",), "handler": f"{__name__}.listen"}}
    with override_settings(SUBSCRIBERS=table):
        outbox.channels.cache_clear()
        yield
    outbox.channels.cache_clear()


def happen(request: str) -> DomainEvent:
    with acting_through("rest", request), transaction.atomic():
        return publish(
            type="thing.made", subject=Subject("thing", "1", "Thing"), tenant=None, by=None, data={},
            audience=Audience(Capability.VIEW_EVENTS),
        )  # fmt: skip


@pytest.mark.usefixtures("_listener")
def test_a_delivery_runs_under_the_id_of_its_fact(db) -> None:
    assert happen("one").request_id == "one"
    happen("two")
    outbox.route_facts()
    assert outbox.deliver_channel("probe") == 2
    assert heard == [("one", "system"), ("two", "system")]
    assert request_id.get() == ""


def test_an_answer_names_the_id_of_its_request_and_takes_over_only_plain_ones() -> None:
    client = Client()
    given = client.get("/v1/nothing-here", headers={"X-Request-ID": "abcdef-12345"})
    assert given.headers["X-Request-ID"] == "abcdef-12345"
    strange = client.get("/v1/nothing-here", headers={"X-Request-ID": "line one; drop"})
    assert strange.headers["X-Request-ID"] not in {"", "line one; drop"}
