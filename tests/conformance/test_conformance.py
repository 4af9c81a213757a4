"""The protocol's own conformance suite and inspector: at the real endpoint, and at fixtures behind the same door.

`script/test` installs both (node_modules beside package-lock.json) and names the place in MCP_TOOLS.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.events.live.conftest import run_server

TOOLS = Path(os.environ.get("MCP_TOOLS") or "no tools")
HERE = Path(__file__).parent
REVISIONS = ["2025-11-25", "2026-07-28"]
# The tests' own settings let any name in.
AS_THE_DEMO = {"DJANGO_SETTINGS_MODULE": "config.settings.demo"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not TOOLS.is_dir(), reason="MCP_TOOLS names no folder with the suite; script/test installs it"),
]


def run_tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    nodes = [str(path.parent) for path in TOOLS.glob("node_modules/node-*/bin/node")]
    environment = os.environ | {"PATH": os.pathsep.join([*nodes, os.environ["PATH"]])}
    command = [str(TOOLS / "node_modules" / ".bin" / name), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)


def conformance(address: str, revision: str, *more: str) -> str:
    """What the suite printed; its exit code says whether anything scored failed that should not, or the reverse."""
    done = run_tool("conformance", "server", "--url", address, "--requirements", revision, *more)
    summary = done.stdout[done.stdout.find("=== SUMMARY") :]
    assert done.returncode == 0, summary + done.stderr[-2000:]
    return summary


@pytest.fixture
def endpoint(transactional_db, lender, ticket) -> Iterator[str]:
    """The address of the real thing; the suite sends no token, so it borrows the demo's account."""
    with run_server(**AS_THE_DEMO) as server:
        yield f"http://{server.host}/mcp"


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_real_endpoint(revision, endpoint, tmp_path):
    """Only scenarios that ask for fixtures fail, and those are listed; a listed one that passes is an error too."""
    known = HERE / f"without-fixtures-{revision}.yml"
    summary = conformance(endpoint, revision, "--expected-failures", str(known), "-o", str(tmp_path))
    assert "✓ tools-list" in summary


@pytest.mark.parametrize("revision", REVISIONS)
def test_fixtures_behind_the_same_door(revision, transactional_db, lender, tmp_path):
    with run_server("tests.conformance.fixtures:application", **AS_THE_DEMO) as server:
        conformance(f"http://{server.host}/mcp", revision, "-o", str(tmp_path))


def test_the_inspector_lists_and_calls(endpoint):
    listed = inspect(endpoint, "tools/list")
    assert {"create_ticket", "claim_task", "get_events"} <= {tool["name"] for tool in listed["tools"]}
    arguments = ["ticket_id=INSPECT-1", "project_id=p", "title=t", "description=d", 'execution_plan=["architect"]']
    made = inspect(endpoint, "tools/call", "--tool-name", "create_ticket", "--tool-arg", *arguments)
    assert made["structuredContent"]["execution_plan"] == ["architect"]
    read = inspect(endpoint, "resources/read", "--uri", "ticket://INSPECT-1")
    assert json.loads(read["contents"][0]["text"])["ticket_id"] == "INSPECT-1"


def inspect(address: str, method: str, *arguments: str) -> dict:
    done = run_tool("mcp-inspector", "--cli", address, "--transport", "http", "--method", method, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
