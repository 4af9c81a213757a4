"""The servers of import maps that are measured beside each other, and who asks them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.import_maps import free_port, wait_for

IMD = "import-map-deployer@4.6.0"
CONNECTIONS = 32
ROOT = Path(__file__).resolve().parents[1]


def our_application() -> Any:
    """What granian runs: the real application, without the limit of changes a minute."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.demo")
    from django.conf import settings

    from config.asgi import application

    settings.API_CHANGES_PER_MINUTE = 0
    return application


# The servers


@contextlib.contextmanager
def running(command: list[str], port: int, folder: Path, **environment: str) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(
        command, cwd=folder, env=os.environ | environment, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        wait_for(port)
        yield
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(15)
        with contextlib.suppress(ProcessLookupError):  # with whatever processes it started
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@contextlib.contextmanager
def our_server() -> Iterator[int]:
    port = free_port()
    options = ["--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-ws"]
    command = [sys.executable, "-m", "granian", *options, "--no-access-log", "--workers-kill-timeout", "5", "--factory"]
    with running([*command, "benchmarks.map_servers:our_application"], port, ROOT):
        get(f"http://127.0.0.1:{port}/livez")
        yield port


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[int]:
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;"
        f"events {{}} http {{ access_log off; sendfile on; open_file_cache max=100; keepalive_requests 100000000;"
        f" server {{ listen 127.0.0.1:{port}; root {folder}; }} }}"
    )
    with running(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], port, folder):
        yield port


@contextlib.contextmanager
def deployer(place: Path, map_file: Path) -> Iterator[int]:
    """import-map-deployer on a map in a file, as its documentation has it."""
    port = free_port()
    settings = map_file.with_suffix(f".{port}.config.json")
    settings.write_text(
        json.dumps(
            {
                "locations": {"default": str(map_file)},
                "packagesViaTrailingSlashes": False,
                "manifestFormat": "importmap",
            }
        )
    )
    script = place / "node_modules/import-map-deployer/bin/import-map-deployer"
    relative = os.path.relpath(settings, place)
    with running(["node", str(script), relative], port, place, PORT=str(port), NODE_ENV="production"):
        yield port


def installed_deployer(given: Path | None, folder: Path) -> Path:
    if given is not None:
        return given.resolve()
    folder.mkdir()
    print(f"Installing {IMD} …", flush=True)
    command = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", IMD]
    subprocess.run(command, check=True, capture_output=True)
    return folder


# The load


def wrk(url: str, seconds: float, *options: str) -> float:
    """Good answers a second with 32 connections; whatever is no 2xx or 3xx ends the benchmark."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", *options, url]
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done)
    if bad or rate is None:
        raise SystemExit(f"{url} does not answer well:\n{done}")
    return float(rate[1])


def get(url: str, headers: dict[str, str] | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=30) as answer:
        return bytes(answer.read())


def send(method: str, url: str, body: dict[str, Any], headers: dict[str, str]) -> int:
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:  # import-map-deployer dies of what another process half wrote
        return 599
