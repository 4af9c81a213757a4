"""Runs a fake AWX beside a test."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]


class FakeAwx:
    """Handle on a running fake: where it is, how it shall misbehave, what it has seen."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    def misbehave(self, do: str, **how: Any) -> None:
        self._ask("/_misbehave", {"do": do, **how})

    def behave(self) -> None:
        self._ask("/_misbehave", method="DELETE")

    def seen(self) -> dict[str, Any]:
        return self._ask("/_jobs")

    def jobs_of(self, nonce: Any) -> int:
        return self.seen()["by_nonce"].get(str(nonce), 0)

    def count(self, request: str) -> int:
        """How often something like `GET /api/v2/jobs/1/` was asked for."""
        return self.seen()["requests"].count(request)

    def api(self, path: str, body: Any = None) -> dict[str, Any]:
        """As a person at AWX would do it."""
        return self._ask(f"/api/v2/{path}", body, headers={"Authorization": f"Bearer {self.token}"})

    def _ask(self, path: str, body: Any = None, method: str | None = None, headers: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers or {})
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read() or b"{}")


@contextlib.contextmanager
def running_awx(*, seconds: float = 0.2, webhook_url: str = "", webhook_secret: str = "") -> Iterator[FakeAwx]:
    """A fake AWX as a process of its own, on a port of its own."""
    command = [sys.executable, "-m", "tests.fakes.awx", "--port", "0", "--token", "t0ken", "--seconds", str(seconds)]
    command += ["--webhook-url", webhook_url, "--webhook-secret", webhook_secret]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield FakeAwx(process.stdout.readline().split()[-1], "t0ken")
        finally:
            process.kill()
