"""What Tracker's benchmarks share: a PostgreSQL with many events, the web server on it, and loads for both."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TENANT = "tenant-finance"
MINIMAL = {"title": "Deploy user-service v2.1.0", "attributes": {
    "message": "Deployed via GitHub Actions", "type": 1, "priority": 2, "service": "user-service", "status": 3,
    "environment": 7, "owner": "platform-team",
}, "links": {"pullRequestLink": "https://github.com/org/repo/pull/123", "ticket": "PROJ-456"}}  # fmt: skip

# Two years of events; `deployed` is in each message, `needle` in some twenty, `wordN` in one of 5,000.
FILL = """
INSERT INTO events_event (id, tenant_id, title, message, source, type, priority, service, status, environment, impact,
    happened_at, owner, stakeholders, notification, notifications, pull_request_link, ticket, slack_id, created_at,
    created_by, updated_at)
SELECT uuidv7(interval '-1 second' * ({rows} - n)), {tenant}, 'Deploy service-' || n %% 200 || ' v1.' || n,
    'Deployed by the pipeline word' || n %% 5000 || CASE WHEN n %% ({rows} / 20) = 7 THEN ' needle' ELSE '' END,
    'source-' || n %% 20, CASE WHEN n %% 100 < 80 THEN 1 ELSE 1 + n %% 5 END, n %% 5 + 1, 'service-' || n %% 200,
    CASE WHEN n %% 10 < 8 THEN 3 ELSE 2 END, CASE WHEN n %% 4 = 0 THEN 7 ELSE 1 + n %% 6 END, 0,
    now() - interval '2 years' * (1 - n::float / {rows}), 'owner-' || n %% 50, '{{}}', false, '{{}}',
    'https://github.com/org/repo/pull/' || n, 'PAY-' || n / 3, '', now() - interval '2 years' * (1 - n::float / {rows}),
    'owner-' || n %% 50, now() - interval '2 years' * (1 - n::float / {rows})
FROM generate_series(1, {rows}) AS n
"""
ONE_ROW = """
INSERT INTO events_event (id, tenant_id, title, message, source, type, priority, service, status, environment, impact,
    happened_at, owner, stakeholders, notification, notifications, pull_request_link, ticket, slack_id, created_at,
    created_by, updated_at)
SELECT uuidv7(), {tenant}, 'Deploy user-service v2.1.0', 'Deployed via GitHub Actions', '', 1, 2, 'user-service', 3, 7, 0,
    now(), 'platform-team', '{{}}', false, '{{}}', 'https://github.com/org/repo/pull/123', 'PROJ-456', '', now(),
    'platform-team', now()
FROM generate_series(1, {rows})
"""


class World:
    """A database with events, a token for its tenant, and where things answer."""

    def __init__(self, database_url: str, place: Path) -> None:
        self.database_url = database_url
        self.place = place
        self.url = ""
        from accounts.models import Tenant, User
        from accounts.roles import Role
        from accounts.services import grant_role, issue_token

        self.tenant = Tenant.objects.create(slug=TENANT, name="Finance")
        user = User.objects.create_user("bench@example.com")
        grant_role(user=user, tenant=self.tenant, role=Role.DEVOPS)
        self.token = issue_token(user=user, name="bench", scopes=["events:read", "events:write"])[1]
        self.user = user

    def fill(self, rows: int) -> None:
        """`rows` events in all: the indexes are made afterwards, which is faster."""
        from django.db import connection

        from events.models import Event

        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SET maintenance_work_mem = '512MB'")
            cursor.execute("TRUNCATE events_event, events_eventchange, events_lock")
            with connection.schema_editor() as editor:
                for index in Event._meta.indexes:
                    editor.remove_index(Event, index)
            cursor.execute(FILL.format(tenant=self.tenant.pk, rows=rows).replace("%%", "%"))
            with connection.schema_editor() as editor:
                for index in Event._meta.indexes:
                    editor.add_index(Event, index)
            cursor.execute("VACUUM ANALYZE events_event")
            cursor.execute("SET statement_timeout = '30s'")

    def pgbench(self, script: str, *, clients: int = 8, seconds: float = 3) -> float:
        """Transactions a second of this statement, prepared."""
        file = self.place / "bench.sql"
        file.write_text(script.strip() + ";\n")
        program = find_pgbench()
        command = [
            program,
            "-n",
            "-M",
            "prepared",
            "-f",
            str(file),
            "-c",
            str(clients),
            "-j",
            "1",
            "-T",
            str(int(seconds)),
        ]
        done = subprocess.run([*command, self.database_url], capture_output=True, text=True, check=True)
        match = re.search(r"tps = ([\d.]+)", done.stdout)
        assert match, done.stdout + done.stderr
        return float(match[1])

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """The web server as script/up runs it."""
        port = free_port()
        command = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", "1", "--no-ws", "--no-access-log", "--workers-kill-timeout", "5"]
        command += ["config.asgi:application"]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": self.database_url})
        self.url = f"http://127.0.0.1:{port}"
        try:
            wait_for(lambda: urllib.request.urlopen(self.url + "/livez", timeout=2).status == 200)
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The raw bytes of an HTTP request with our token."""
        head = f"{method} /api/v1alpha1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
        return (head + f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body

    def load(self, raw: bytes, *, clients: int = 16, seconds: float = 3) -> float:
        """Answers a second, all of them 200, from a process of its own."""
        port = str(urlsplit(self.url).port)
        command = [sys.executable, str(Path(__file__).with_name("tracker_load.py")), port, str(clients), str(seconds)]
        done = subprocess.run(command, input=raw, capture_output=True, check=True)
        return float(done.stdout)


def find_pgbench() -> str:
    from config.stack.postgres import find_binaries

    program = find_binaries() / "pgbench"
    return str(program) if program.exists() else shutil.which("pgbench") or "pgbench"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(ready: Callable[[], bool], timeout: float = 60) -> None:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if ready():
                return
        time.sleep(0.1)
    raise TimeoutError("the server does not answer")


@contextlib.contextmanager
def a_world(settings: str = "config.settings.demo") -> Iterator[World]:
    """Django, set up on a PostgreSQL that is gone afterwards (safe writes: commits are what is measured)."""
    from config.stack.postgres import PostgresServer

    with tempfile.TemporaryDirectory(prefix="stagepass-benchmark-") as place:
        server = PostgresServer(Path(place) / "postgres")
        os.environ |= {
            "DATABASE_URL": server.start(),
            "BROKER_URL": "redis://127.0.0.1:1/0",
            "CACHE_URL": "locmemcache://",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "STAGEPASS_STATE": place,
            "LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": settings,
        }
        try:
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            yield World(os.environ["DATABASE_URL"], Path(place))
        finally:
            from django.db import connections

            connections.close_all()
            server.stop()


def milliseconds(call: Callable[[], object], runs: int = 15) -> float:
    """The median time of a call."""
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        call()
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def fetch(url: str, token: str) -> dict[str, object]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.loads(answer.read()))


def in_threads(count: int, run: Callable[[], None]) -> None:
    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
