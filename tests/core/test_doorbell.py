"""A doorbell that nobody answers must not keep anyone waiting."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

from core import doorbell


@pytest.fixture
def broker_at(monkeypatch, settings):
    """Says where the broker is."""
    monkeypatch.setattr(doorbell._Silence, "until", 0.0)

    def point(port: int) -> None:
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{port}/0"

    yield point
    doorbell._Silence.until = 0.0


@pytest.fixture
def mute():
    """A broker that takes connections and never says a word: its port, and the connections."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1], taken
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for connection in taken:
        connection.close()


def test_nobody_there(broker_at):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    broker_at(port)
    started = time.monotonic()
    assert not any(doorbell.ring("events.sweep") for _ in range(20))
    assert time.monotonic() - started < 5, "one of them took longer than all may"


def test_a_broker_that_hangs_is_asked_once_and_then_left_alone(broker_at, mute):
    port, taken = mute
    broker_at(port)
    started = time.monotonic()
    assert not any(doorbell.ring("events.sweep") for _ in range(20))
    assert time.monotonic() - started < 5, "one of them took longer than all may"
    assert len(taken) == 1


def test_a_broker_that_is_back_is_heard_again(broker_at, mute, monkeypatch, settings):
    port, taken = mute
    broker_at(port)
    assert not doorbell.ring("events.sweep")
    asked = len(taken)
    monkeypatch.setattr(doorbell._Silence, "until", 0.0)  # the silence is over
    assert not doorbell.ring("events.sweep")
    assert len(taken) > asked

    settings.CELERY_BROKER_URL = "memory://"
    monkeypatch.setattr(doorbell._Silence, "until", 0.0)
    assert doorbell.ring("events.sweep")
