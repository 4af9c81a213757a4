"""A real server process on a database of its own rows, and a small reader of event streams."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from accounts.services import issue_token


def database_url() -> str:
    database = settings.DATABASES["default"]
    place = f"{database['HOST']}:{database['PORT']}/{database['NAME']}"
    return f"postgres://{database['USER']}:{database['PASSWORD']}@{place}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One web process as it runs in production."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> float:
        """Ask it to end; the seconds that took."""
        started = time.monotonic()
        self.process.terminate()
        self.process.wait(30)
        return time.monotonic() - started


@contextmanager
def run_server(
    application: str = "config.asgi:application", port: int | None = None, **environment: str
) -> Iterator[Server]:
    port = port or free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--no-ws", "--workers-kill-timeout", "10", application]
    process = subprocess.Popen(
        command, env=os.environ | {"DATABASE_URL": database_url(), "SITE_URL": f"http://127.0.0.1:{port}"} | environment
    )
    try:
        wait_for(lambda: answers(port), 30)
        yield Server(port, process)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 0.2):
            return True
    except OSError:
        return False


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@dataclass
class Event:
    """One server-sent event."""

    name: str
    data: dict
    id: str = ""


@dataclass
class Listener:
    """Reads one stream by plain sockets: no library that forgives."""

    host: str
    headers: dict[str, str]
    path: str = "/live"
    status: int = 0
    answer: str = ""
    ended: bool = False
    events: list[Event] = field(default_factory=list)

    def __enter__(self) -> Listener:
        name, _, port = self.host.partition(":")
        self.socket = socket.create_connection((name, int(port)), 10)
        lines = [f"GET {self.path} HTTP/1.1", f"Host: {self.host}", *(f"{k}: {v}" for k, v in self.headers.items())]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._receive(10)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.answer = head.decode()
        self.status = int(head.split()[1])
        self.text = ""
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _receive(self, seconds: float) -> bool:
        self.socket.settimeout(seconds)
        try:
            piece = self.socket.recv(65536)
        except TimeoutError:
            return False
        if not piece:
            self.ended = True
            return False
        self.buffer += piece
        return True

    def body(self) -> dict:
        """The whole answer to a refusal."""
        length = (
            int(self.answer.lower().partition("content-length: ")[2].split()[0])
            if "ontent-length" in self.answer
            else 0
        )
        while len(self.buffer) < length or not self.buffer:
            assert self._receive(5)
        text = self.buffer.decode()
        return json.loads(text[text.index("{") : text.rindex("}") + 1])

    def read(self, seconds: float = 0.5) -> list[Event]:
        """What arrives within that time; all events so far stay in `events`."""
        end = time.monotonic() + seconds
        fresh: list[Event] = []
        while (left := end - time.monotonic()) > 0 and not self.ended:
            self._receive(left)
            fresh += self._parse()
        self.events += fresh
        return fresh

    def expect(self, name: str, seconds: float = 10) -> Event:
        """The next event of this name."""
        end = time.monotonic() + seconds
        while True:
            for event in self._parse():
                self.events.append(event)
            while self.events:
                event = self.events.pop(0)
                if event.name == name:
                    return event
            assert not self.ended, "the stream ended"
            assert time.monotonic() < end, f"no {name} came"
            self._receive(0.5)

    def _parse(self) -> list[Event]:
        while b"\r\n" in self.buffer:
            size, _, rest = self.buffer.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                break
            self.text += rest[:length].decode()
            self.buffer = rest[length + 2 :]
            if not length:
                self.ended = True
        found = []
        while "\n\n" in self.text:
            block, _, self.text = self.text.partition("\n\n")
            fields = dict(
                line.split(": ", 1) for line in block.split("\n") if not line.startswith(":") and ": " in line
            )
            if "event" in fields:
                found.append(Event(fields["event"], json.loads(fields["data"]), fields.get("id", "")))
        return found


@pytest.fixture
def server(transactional_db) -> Iterator[Server]:
    with run_server() as server:
        yield server


def cookie_of(user: User) -> dict[str, str]:
    """The headers of a browser in which `user` is logged in."""
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return {"Cookie": f"sessionid={browser.cookies['sessionid'].value}", "Sec-Fetch-Site": "same-origin"}


def token_of(user: User, *scopes: str) -> dict[str, str]:
    _, secret = issue_token(user=user, name="test", scopes=scopes or ("events:read",))
    return {"Authorization": f"Bearer {secret}"}
