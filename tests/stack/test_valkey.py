"""The embedded Valkey: starts, keeps what the broker holds over stops and crashes, refuses strangers."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from config.stack.valkey import ValkeyServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path / "with space" / "valkey")
    yield server
    server.stop()


def client(url: str) -> "redis.Redis":
    return redis.Redis.from_url(f"{url}/0", decode_responses=True)


def test_a_warm_start_keeps_queues_port_and_password(server: ValkeyServer) -> None:
    url = server.start()
    client(url).lpush("celery", "task")
    server.stop()
    assert server.start() == url
    assert client(url).lrange("celery", 0, -1) == ["task"]


def test_queues_survive_a_power_cut(server: ValkeyServer) -> None:
    url = server.start()
    client(url).lpush("celery", "task")
    time.sleep(1.2)  # written out every second
    server.kill()
    assert client(server.start()).lrange("celery", 0, -1) == ["task"]


def test_nothing_is_thrown_away_and_nobody_enters_without_the_password(server: ValkeyServer) -> None:
    url = server.start()
    assert client(url).config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with pytest.raises(redis.AuthenticationError):
        client(url.replace(server.password, "")).ping()


def test_a_taken_port_is_replaced_by_another(server: ValkeyServer) -> None:
    server.start()
    server.stop()
    before = server.port
    with socket.create_server(("127.0.0.1", before)):
        server.start()
    assert server.port != before


def test_a_server_that_outlived_its_supervisor_is_stopped_first(server: ValkeyServer) -> None:
    client(server.start()).set("key", "kept")
    stray = server._process
    server._process = None
    assert stray
    try:
        assert client(server.start()).get("key") == "kept"
        assert stray.wait(5) == 0
    finally:
        if stray.poll() is None:
            stray.kill()
