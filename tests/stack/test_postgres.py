"""The embedded PostgreSQL: starts, keeps its data over stops and power cuts, and clears what a crash left."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config.stack import processes
from config.stack.postgres import PostgresServer

ways = ["namespace", "nobody"] if os.geteuid() == 0 and sys.platform.startswith("linux") else ["keep"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path / "postgres")
    yield server
    server.stop()


def remember(url: str, word: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS memory (word text)")
        connection.execute("INSERT INTO memory VALUES (%s)", [word])


def remembered(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM memory")]


@pytest.mark.parametrize("way", ways)
def test_it_answers_whichever_way_root_is_given_up(tmp_path: Path, way: str) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    server = PostgresServer(private / "postgres", way=way)
    try:
        remember(server.start(), "kept")
        server.stop()
        assert remembered(server.start()) == ["kept"]
    finally:
        server.stop()


@pytest.mark.skipif(len(ways) < 2, reason="only root has two ways")
def test_data_made_one_way_is_readable_the_other_way(tmp_path: Path) -> None:
    for way in ("namespace", "nobody", "namespace"):
        server = PostgresServer(tmp_path / "postgres", way=way)
        try:
            remember(server.start(), way)
        finally:
            server.stop()
    with_all = PostgresServer(tmp_path / "postgres")
    try:
        assert remembered(with_all.start()) == ["namespace", "nobody", "namespace"]
    finally:
        with_all.stop()


def test_the_extensions_that_the_apps_use_are_there(server: PostgresServer) -> None:
    with psycopg.connect(server.start()) as connection:
        for name in ("pg_trgm", "unaccent", "btree_gin"):
            connection.execute(f"CREATE EXTENSION {name}")


def test_a_warm_start_keeps_data_port_and_password(server: PostgresServer) -> None:
    url = server.start()
    remember(url, "kept")
    server.stop()
    assert server.start() == url
    assert remembered(url) == ["kept"]


def test_a_wrong_password_is_refused(server: PostgresServer) -> None:
    url = server.start().replace(server.password, "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_committed_data_survives_a_power_cut(server: PostgresServer) -> None:
    remember(server.start(), "committed")
    server.kill()
    assert (server.data / "postmaster.pid").exists()
    assert remembered(server.start()) == ["committed"]


def test_a_lock_file_that_names_a_foreign_process_is_dropped(server: PostgresServer) -> None:
    """After a power cut the server's old process id may be somebody else's, of the same user: it would not start."""
    server.start()
    server.kill()
    lock = server.data / "postmaster.pid"
    foreign = subprocess.Popen(processes.tied(["sleep", "60"], way=server.way))
    try:
        lock.write_text("\n".join([str(foreign.pid), *lock.read_text().splitlines()[1:]]) + "\n")
        server.start()
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


def test_a_taken_port_is_replaced_by_another(server: PostgresServer) -> None:
    server.start()
    server.stop()
    before = server.port
    with socket.create_server(("127.0.0.1", before)):
        server.start()
    assert server.port != before


def test_a_half_made_cluster_is_made_again(server: PostgresServer) -> None:
    server.data.mkdir(parents=True)
    (server.data / "half").write_text("made")
    assert server.start()


def test_a_server_that_outlived_its_supervisor_is_stopped_first(tmp_path: Path, server: PostgresServer) -> None:
    """A stray server on the same data, started by nobody we know: the next start ends it and keeps its data."""
    remember(server.start(), "before")
    stray = server._process
    server._process = None
    assert stray
    try:
        assert remembered(server.start()) == ["before"]
        assert stray.wait(5) is not None
    finally:
        if stray.poll() is None:
            stray.kill()


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from config.stack.postgres import PostgresServer as S\n"
        "s = S(pathlib.Path(sys.argv[1])); s.start(); print(s._process.pid, flush=True); input()"
    )
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "postgres")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
        text=True,
    )
    assert parent.stdout
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert processes.wait_until(lambda: not processes.alive(pid), timeout=5)
