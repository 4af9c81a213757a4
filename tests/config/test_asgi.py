"""The root application behind the real server: bodies arrive, answers leave whole."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws", "--no-access-log"]
    command = [sys.executable, "-m", "granian", *options, "config.asgi:application"]
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield _wait_for(f"http://127.0.0.1:{port}", server)
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(url: str, server: subprocess.Popen) -> str:
    for _ in range(300):
        assert server.poll() is None, "the server ended while starting"
        try:
            httpx2.get(f"{url}/livez", timeout=5)
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return url
    raise AssertionError("the server does not answer")


def test_a_body_arrives_whole(address):
    # Refused for want of a CSRF cookie, which is only known once the body could be read.
    answer = httpx2.post(f"{address}/accounts/login/", data={"login": "x" * 100_000, "password": "y"}, timeout=20)
    assert answer.status_code == 403


def test_a_probe_by_address_is_answered_beside_django(address):
    """Orchestrators ask by the address of the container, whatever ALLOWED_HOSTS says, and while all threads are at work."""
    answer = httpx2.get(f"{address}/livez", headers={"Host": "10.1.2.3"}, timeout=20)
    assert (answer.status_code, answer.text) == (200, "ok")
