"""An MCP tool that writes three rows against one that never asks the database, through the whole server; then 200 clients.

    python benchmarks/mcp_tool.py [seconds per run]      default: 5

Starts a PostgreSQL and a web process of its own. Clients are bare keep-alive connections with a token. `create_ticket`
inserts ticket, comment and fact; the other tool is one that only this benchmark offers: same door, same token, same
checks, an empty answer. Both at 1, 8 and 32 clients, taking turns. Then 200 clients call tools that read and write, while
/livez is asked every quarter of a second and the database's connections are counted. Exit code 1 when three inserts reach
less than 0.3 of none at any number of clients, when a call fails, or when /livez takes longer than 5 seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

CLIENTS = (1, 8, 32)
CROWD = 200
ROUNDS = 3
GOAL = 0.3
SLOWEST_LIVEZ = 5.0
ANSWERED_WITHIN = 30.0
VERSION = "2026-07-28"
CAPABILITIES = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
}
_numbers = itertools.count(1)


def serve() -> Any:
    """The real application with one more tool, and no limit of changes: what granian runs."""
    from django.conf import settings

    from config.asgi import application
    from tickets.mcp.registry import WRITE, Effect, tool

    settings.API_CHANGES_PER_MINUTE = 0

    @tool("Nothing", takes={}, answers={"type": "object"}, scope=WRITE, effect=Effect.ADDS)
    def nothing(by: Any, form: Any) -> dict[str, Any]:
        """Nothing at all."""
        return {}

    return application


class Connection:
    """One keep-alive connection that calls tools."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token

    async def open(self) -> Connection:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        params = {"name": tool, "arguments": arguments, "_meta": CAPABILITIES}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\n"
            "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
            f"MCP-Protocol-Version: {VERSION}\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)
        async with asyncio.timeout(ANSWERED_WITHIN):
            answer = await self.reader.readuntil(b"\r\n\r\n")
            lines = answer.lower().split(b"\r\n")
            length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            document: dict[str, Any] = json.loads(await self.reader.readexactly(length))
        if document.get("result", {}).get("isError") is not False:
            raise RuntimeError(json.dumps(document)[:300])
        return document

    def close(self) -> None:
        self.writer.close()


def ticket() -> dict[str, Any]:
    return {
        "ticket_id": f"T-{next(_numbers)}", "project_id": "p", "title": "A ticket",
        "description": "What is to be done. " * 10, "execution_plan": ["architect", "developer", "tester"],
    }  # fmt: skip


async def rate(port: int, tokens: list[str], tool: str, clients: int, seconds: float) -> float:
    """Calls per second of so many clients."""
    connections = [await Connection(port, tokens[n % len(tokens)]).open() for n in range(clients)]
    count, end = 0, time.perf_counter() + seconds

    async def run(connection: Connection) -> None:
        nonlocal count
        while time.perf_counter() < end:
            await connection.call(tool, ticket() if tool == "create_ticket" else {})
            count += 1

    await asyncio.gather(*map(run, connections))
    for connection in connections:
        connection.close()
    return count / seconds


async def crowd(
    port: int, tokens: list[str], seconds: float, database: str
) -> tuple[list[float], list[str], list[float], int]:
    """200 clients at once: seconds per call, what failed, seconds per /livez, most connections to the database."""
    taken: list[float] = []
    failed: list[str] = []
    alive: list[float] = []
    most, end = 0, time.perf_counter() + seconds

    async def run(number: int) -> None:
        connection = await Connection(port, tokens[number % len(tokens)]).open()
        while time.perf_counter() < end:
            started = time.perf_counter()
            try:
                made = ticket()
                await connection.call("create_ticket", made)
                await connection.call("get_ticket", {"ticket_id": made["ticket_id"]})
                taken.append((time.perf_counter() - started) / 2)
            except Exception as error:  # what comes after it on this connection would tell nothing
                failed.append(repr(error))
                break
        connection.close()

    async def watch() -> None:
        nonlocal most
        while time.perf_counter() < end:
            started = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            async with asyncio.timeout(ANSWERED_WITHIN):
                assert b" 200 " in await reader.readline()
            writer.close()
            alive.append(time.perf_counter() - started)
            most = max(most, await asyncio.to_thread(connections_in_use, database))
            await asyncio.sleep(0.25)

    await asyncio.gather(watch(), *map(run, range(CROWD)))
    return taken, failed, alive, most


def connections_in_use(database: str) -> int:
    """Of everybody else."""
    import psycopg

    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
        return int(row[0]) if row else 0


def people() -> list[str]:
    """Tokens of ten coordinators of one tenant, whose project is there."""
    from accounts.models import Tenant, User
    from accounts.roles import Role
    from accounts.services import grant_role, issue_token
    from tickets.services import ensure_project

    tenant, tokens = Tenant.objects.create(slug="tenant", name="Tenant"), []
    for number in range(10):
        user = User.objects.create_user(f"devops{number}@example.com", "x")
        grant_role(user=user, tenant=tenant, role=Role.DEVOPS)
        tokens.append(issue_token(user=user, name="benchmark", scopes=["tickets:read", "tickets:write"])[1])
    ensure_project(key="p", by=user, tenant=tenant)
    return tokens


def start_server() -> tuple[subprocess.Popen[bytes], int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--no-ws", "--no-access-log", "--workers-kill-timeout", "5"]  # as config/stack does
    command += ["--factory", "benchmarks.mcp_tool:serve"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process, port
        except OSError:
            time.sleep(0.1)
    stop_server(process)
    raise RuntimeError("the server did not start")


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """Also its worker, and whatever it was at."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(20)


def main(seconds: float) -> int:
    from ticket_claims import a_database

    missed = 0
    with a_database():
        tokens = people()
        process, port = start_server()
        try:
            for clients in CLIENTS:
                rates: dict[str, list[float]] = {"nothing": [], "create_ticket": []}
                for turn in range(ROUNDS):
                    for tool in sorted(rates, reverse=bool(turn % 2)):
                        rates[tool].append(asyncio.run(rate(port, tokens, tool, clients, seconds)))
                bare, three = (statistics.median(rates[tool]) for tool in ("nothing", "create_ticket"))
                missed += three / bare < GOAL
                print(
                    f"{clients:3} clients: without database {bare:5.0f}/s, three inserts {three:5.0f}/s, "
                    f"ratio {three / bare:.2f} (goal >= {GOAL})", flush=True,
                )  # fmt: skip
            taken, failed, alive, most = asyncio.run(crowd(port, tokens, 2 * seconds, os.environ["DATABASE_URL"]))
            cuts = statistics.quantiles(taken, n=100)
            print(
                f"{CROWD} clients: {2 * len(taken)} calls, {len(failed)} failed, median {cuts[49] * 1000:.0f} ms, "
                f"p99 {cuts[98] * 1000:.0f} ms; /livez at most {max(alive) * 1000:.0f} ms; "
                f"{most} connections to the database", flush=True,
            )  # fmt: skip
            for text in failed[:3]:
                print(text)
            missed += bool(failed) + (max(alive) > SLOWEST_LIVEZ)
        finally:
            stop_server(process)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
