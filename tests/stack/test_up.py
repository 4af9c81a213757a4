"""script/up's own command, for real: an empty directory becomes a running system, survives trouble and stops cleanly."""

import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config.stack import environment, processes
from tests.stack.running import ROOT, Up, listed, newcomer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("up") / "var")
    up.start()
    yield up
    if not up.ended():
        up.stop()


def test_it_tells_where_everything_is(up: Up) -> None:
    demo = json.loads((up.state / "demo.json").read_text())
    assert f"http://localhost:{up.port}" in up.output
    assert demo["url"] == f"http://localhost:{up.port}"
    assert demo["grpc"] == f"localhost:{up.grpc_port}"
    for role in ("devops", "cpi", "cpi_admin", "viewer", "outsider", "worker"):
        assert demo["users"][role]["email"] in up.output
    assert demo["audit_repository"] in up.output
    assert demo["mailbox"] in up.output
    assert up.ready()


def test_secrets_are_private(up: Up) -> None:
    for name in ("secrets.json", "environment.json", "postgres/password", "valkey/password"):
        assert (up.state / name).stat().st_mode & 0o077 == 0, name


def test_no_password_is_on_a_command_line(up: Up) -> None:
    secret = [(up.state / name / "password").read_text().strip() for name in ("postgres", "valkey")]
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [word for word in secret if word in shown]


def test_a_second_start_says_that_it_runs_already(up: Up) -> None:
    assert up.process
    again = subprocess.run(
        up.command("up"), capture_output=True, text=True, cwd=ROOT, env=newcomer(), timeout=30, check=False
    )
    assert f"already runs in {up.state}: http://localhost:{up.port} (process {up.process.pid})" in again.stdout
    assert again.returncode == 0
    assert up.ready()


def test_another_terminal_can_join(up: Up) -> None:
    lines = subprocess.run(up.command("env"), capture_output=True, text=True, cwd=ROOT, env=newcomer(), check=True)
    assert "export DATABASE_URL=postgres://stagepass:" in lines.stdout
    shown = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--check"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**newcomer(), "STAGEPASS_STATE": str(up.state)},
        check=False,
    )
    assert shown.returncode == 0, shown.stderr


def test_mail_that_is_sent_is_caught(up: Up) -> None:
    address = environment.read(up.state)["EMAIL_URL"].removeprefix("smtp://")
    with smtplib.SMTP(*address.split(":"), timeout=10) as client:  # type: ignore[arg-type]
        client.sendmail("a@example.com", ["b@example.com"], "Subject: Hello\n\nWorld\n")
    assert any(b"Subject: Hello" in path.read_bytes() for path in (up.state / "mailbox").glob("*.eml"))


@pytest.mark.parametrize("name", ["web", "grpc", "worker", "beat", "dispatcher", "mailbox", "valkey", "postgres"])
def test_a_killed_process_is_started_again(up: Up, name: str) -> None:
    before = up.pids()[name]
    os.kill(before, signal.SIGKILL)
    assert processes.wait_until(lambda: up.pids().get(name, before) != before, timeout=20)
    assert processes.wait_until(up.ready, timeout=30)


def test_data_and_order_survive_ctrl_c_and_a_killed_supervisor(tmp_path: Path) -> None:
    """One long story, since each step needs the one before: stop, warm start, kill -9, recovery."""
    up = Up(tmp_path / "var")
    up.start()
    with psycopg.connect(environment.read(up.state)["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('kept')")
    before = contents(up.state, "demo.json", "secrets.json")
    assert up.stop() == 0
    assert "killed" not in up.output.rpartition("stopping")[2]
    assert not (up.state / "environment.json").exists()
    assert listed(up.state) == []

    up.start()
    with psycopg.connect(environment.read(up.state)["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("kept",)]
    assert contents(up.state, "demo.json", "secrets.json") == before

    children = up.pids()
    assert up.stop(signal.SIGKILL) == -signal.SIGKILL
    assert processes.wait_until(lambda: not any(processes.alive(pid) for pid in children.values()), timeout=20)
    assert processes.wait_until(lambda: listed(up.state) == [], timeout=10)
    assert environment.read(up.state) == {}, "a crashed stack is no stack to join"
    up.start()
    assert up.ready()
    assert up.stop(signal.SIGTERM) == 0
    assert listed(up.state) == []


def contents(state: Path, *names: str) -> list[object]:
    return [json.loads((state / name).read_text()) for name in names]


def test_a_busy_port_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "config.stack", "up", "--state", str(tmp_path / "var"), "--port", str(port)]
        result = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env=newcomer(), timeout=30, check=False
        )
    assert result.returncode == 1
    assert re.search(rf"Port {port} is taken by another program.*--port", result.stderr)
    assert not (tmp_path / "var" / "postgres").exists()


def test_a_failing_step_shows_its_log_and_stops_what_runs(tmp_path: Path) -> None:
    state = tmp_path / "var"
    command = [sys.executable, "-m", "config.stack", "up", "--state", str(state)]
    command += ["--port", str(processes.choose_port()), "--grpc-port", str(processes.choose_port())]
    broken = {**newcomer(), "DJANGO_SETTINGS_MODULE": "config.settings.missing"}
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=broken, timeout=60, check=False)
    assert result.returncode == 1
    assert "migrate ended with exit code 1" in result.stderr
    assert "No module named 'config.settings.missing'" in result.stderr
    assert listed(state) == []
