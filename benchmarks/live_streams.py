"""What 200 open event streams cost the pages of the same process: `python -m benchmarks.live_streams`.

Starts PostgreSQL, Valkey and one web process as in production, asks for a page at a steady pace, in turns without and
with the streams open, while a fact is published each second. Prints one line; exits 1 when the page's p95 rises by more
than 20 %.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from config.stack.postgres import PostgresServer
from config.stack.valkey import ValkeyServer

LIMIT = 1.2


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rate", type=float, default=40, help="Pages asked for each second.")
    parser.add_argument("--page", default="/accounts/login/")
    parser.add_argument("--facts", type=float, default=1, help="Facts published each second, seen by everybody.")
    parser.add_argument("--hold", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.hold:
        asyncio.run(hold(given.hold, sys.stdin.read().split()))
        return 0
    with tempfile.TemporaryDirectory(prefix="stagepass-bench-") as place:
        postgres, valkey = PostgresServer(Path(place) / "postgres", fsync=False), ValkeyServer(Path(place) / "valkey")
        try:
            return measure(given, place, postgres.start(), valkey.start())
        finally:
            postgres.stop()
            valkey.stop()


def measure(given: argparse.Namespace, place: str, database: str, broker: str) -> int:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings.demo",
        "SECRET_KEY": secrets.token_urlsafe(60),
        "DATABASE_URL": database,
        "BROKER_URL": f"{broker}/0",
        "CACHE_URL": f"{broker}/1",
        "STAGEPASS_STATE": place,
        "LOG_LEVEL": "ERROR",
    }
    cookies = prepare(given.streams)
    web, port = start_web()
    try:
        ask(port, given, cookies[0], 2)  # warm up
        without: list[list[float]] = []
        with_streams: list[list[float]] = []
        memory, idle = [], []
        for _ in range(given.rounds):
            without.append(ask(port, given, cookies[0], given.seconds))
            before = resident(web.pid)
            holder = open_streams(port, cookies)
            with_streams.append(ask(port, given, cookies[0], given.seconds))
            memory.append((resident(web.pid) - before) / given.streams)
            idle.append(busy_while_quiet(web.pid, given))
            holder.terminate()
            holder.wait()
            time.sleep(0.5)
    finally:
        web.terminate()
        web.wait()
    quiet, busy = (median(p95(samples) for samples in rounds) for rounds in (without, with_streams))
    ratio = median(p95(b) / p95(a) for a, b in zip(without, with_streams, strict=True))
    print(
        f"{given.page} p95 {quiet * 1000:.2f} ms without, {busy * 1000:.2f} ms with {given.streams} open streams: "
        f"ratio {ratio:.2f} (limit {LIMIT}), {memory[0]:.0f} KiB per stream, the streams alone take "
        f"{median(idle) * 100:.1f} % of a core at {given.facts:g} facts/s, {given.rounds} rounds"
    )
    return 0 if ratio <= LIMIT else 1


def prepare(people: int) -> list[str]:
    """Tables and people who may see everything; the values of their session cookies."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return [session_of(number) for number in range(people)]


def session_of(number: int) -> str:
    from django.test import Client

    from accounts.models import User

    user = User.objects.create_superuser(f"person-{number}@example.com", None)
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return str(browser.cookies["sessionid"].value)


def start_web() -> tuple[subprocess.Popen[bytes], int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    options = ["--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-ws"]
    options += ["--workers-kill-timeout", "5", "--no-log"]
    web = subprocess.Popen([sys.executable, "-m", "granian", *options, "config.asgi:application"])
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return web, port
        except OSError:
            time.sleep(0.1)


def ask(port: int, given: argparse.Namespace, cookie: str, seconds: float) -> list[float]:
    """The seconds each page took, asked for at a steady pace on one connection while facts are published."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    took, begun, facts = [], time.perf_counter(), 0
    for number in range(int(seconds * given.rate)):
        due = begun + number / given.rate
        if (wait := due - time.perf_counter()) > 0:
            time.sleep(wait)
        if number / given.rate * given.facts >= facts:
            publish_one()
            facts += 1
        started = time.perf_counter()
        connection.request("GET", given.page, headers={"Cookie": f"sessionid={cookie}"})
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - started)
        assert answer.status < 400, answer.status
    return took


def publish_one() -> None:
    from django.db import transaction

    from events.services import publish
    from events.types import Audience, Subject

    with transaction.atomic():
        publish(
            type="bench.ticked", subject=Subject("bench", "1", "Tick"), tenant=None, by=None, data={},
            audience=Audience(),
        )  # fmt: skip


def open_streams(port: int, cookies: list[str]) -> subprocess.Popen[str]:
    """Another process that holds the streams, one for each person; returns once all are open."""
    holder = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.live_streams", "--hold", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write("\n".join(cookies))
    holder.stdin.close()
    assert holder.stdout.readline().strip() == "open"
    return holder


async def hold(port: int, cookies: list[str]) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    streams = []
    for cookie in cookies:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: sessionid={cookie}\r\n\r\n".encode())
        await reader.readuntil(b"event: hello")
        streams.append((reader, writer))
    print("open", flush=True)
    await asyncio.gather(*(swallow(reader) for reader, _ in streams))


async def swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


def busy_while_quiet(main: int, given: argparse.Namespace) -> float:
    """The share of a core that the server takes while nobody asks for pages and facts go on."""
    begun, before = time.perf_counter(), processor_seconds(main)
    for _ in range(int(given.seconds * given.facts)):
        publish_one()
        time.sleep(1 / given.facts)
    return (processor_seconds(main) - before) / (time.perf_counter() - begun)


def processor_seconds(main: int) -> float:
    """What the server's processes have used so far."""
    ticks = 0
    for pid in family(main):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def family(main: int) -> list[int]:
    return [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]


def resident(main: int) -> float:
    """KiB of memory of the server's processes."""
    return sum(
        float(line.split()[1])
        for pid in family(main)
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )


def p95(samples: list[float]) -> float:
    return quantiles(samples, n=20)[-1]


if __name__ == "__main__":
    sys.exit(main())
