"""The demo's deploy program: publishes a versioned service, checks its health, and switches over to it.

`python -m promotions.demo_service ENVIRONMENTS`, run by the local deployer. A service lives in
ENVIRONMENTS/<environment>/<tenant>/<name>/ as releases/<version>/ and `current`, a link to one of them. A version with
"broken" in it is a service that does not get healthy: its deployment fails and what was current stays so.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SERVICE = '''\
"""A small web service that tells its version: GET /health, GET /version."""

import http.server
import json
import pathlib

about = json.loads(pathlib.Path(__file__).with_name("version.json").read_text())


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        healthy = "broken" not in about["version"]
        status = 404 if self.path not in ("/health", "/version") else 200 if healthy else 500
        body = json.dumps({"healthy": healthy, **about}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
'''


class Unhealthy(Exception):
    """The service does not answer as it should; the message says how it answers."""


def place_of(environments: Path, environment: str, tenant: str, name: str) -> Path:
    """Where a service lives; whatever the name, that is inside `environments`."""
    return environments / environment / _as_file(tenant) / _as_file(name)


def _as_file(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "--", text).lstrip(".") or "unnamed"


def write_release(place: Path, about: dict[str, Any]) -> Path:
    """Put the files of one version in place, each in one step: it may be the current one that is deployed again."""
    release = place / "releases" / _as_file(about["version"])
    release.mkdir(parents=True, exist_ok=True)
    for name, text in (("service.py", SERVICE), ("version.json", json.dumps(about, indent=2) + "\n")):
        fresh = release / f".{name}.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(release / name)
    return release


def switch_to(place: Path, release: Path) -> None:
    """Make `release` the current one, in one step."""
    fresh = place / ".current.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(release.relative_to(place))
    fresh.rename(place / "current")


def current_version(place: Path) -> str:
    """The version that is current, empty when there is none."""
    try:
        return str(json.loads((place / "current" / "version.json").read_text(encoding="utf-8"))["version"])
    except FileNotFoundError:
        return ""


def check_health(folder: Path, version: str) -> str:
    """Start the service in `folder`, ask it how it is, stop it; what it answered. Unhealthy when that is not good."""
    command = [sys.executable, "-I", "-S", str(folder / "service.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            if not (port := service.stdout.readline().strip()):
                raise Unhealthy("It ended before it could be asked")
            answer = _ask(f"http://127.0.0.1:{port}/health")
        finally:
            service.kill()
    if answer.get("version") != version:
        raise Unhealthy(f"It says that it is version {answer.get('version')}, not {version}")
    return f"GET /health 200 healthy, version {version}"


def _ask(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 (our own service on loopback)
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise Unhealthy(f"GET /health {error.code}") from error
    except (OSError, ValueError) as error:
        raise Unhealthy(f"GET /health does not answer: {error}") from error


def publish(environments: Path, environment: str, tenant: str, name: str, version: str) -> None:
    """Publish a version without ceremony, unless the service has one: what the demo starts from."""
    place = place_of(environments, environment, tenant, name)
    if not current_version(place):
        about = {"tenant": tenant, "name": name, "version": version, "request": None}
        switch_to(place, write_release(place, about))


class Deployment:
    """One run of this program."""

    def __init__(self, environments: Path, request: dict[str, Any], pause: float) -> None:
        target = request["spec"]["target"]
        self.pause = pause
        self.environment = target["targetEnvironment"]
        self.about = {
            "tenant": request["metadata"]["tenant"],
            "name": target["name"],
            "version": target["version"],
            "request": request["metadata"]["id"],
            "deployedAt": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self.place = place_of(environments, self.environment, self.about["tenant"], self.about["name"])
        self.before = current_version(self.place)

    def say(self, text: str) -> None:
        time.sleep(self.pause)
        print(f"{dt.datetime.now(dt.UTC):%H:%M:%S}  {text}", flush=True)  # noqa: T201 (the log of the deployment)

    def run(self) -> int:
        name, version = self.about["name"], self.about["version"]
        self.say(f"{self.about['request']}: {name} {version} to {self.environment} for {self.about['tenant']}")
        self.say(f"{self.environment} runs {self.before or 'no version yet'}")
        release = write_release(self.place, self.about)
        self.say(f"Unpacked releases/{release.name}")
        try:
            self.say("Starting the new version beside the old one: " + check_health(release, version))
            switch_to(self.place, release)
            self.say(f"Switched current to releases/{release.name}")
            self.say("Checking what is current now: " + check_health(self.place / "current", version))
        except Unhealthy as error:
            return self.give_up(release, str(error))
        self.report()
        self.say(f"Done: {self.environment} runs {name} {version}")
        return 0

    def give_up(self, release: Path, why: str) -> int:
        """Leave what was current before, and nothing of what did not work."""
        self.say(f"{why}. {self.about['version']} is not healthy.")
        old = self.place / "releases" / _as_file(self.before)
        if self.before and old != release:
            switch_to(self.place, old)
            shutil.rmtree(release, ignore_errors=True)
        self.say(f"Given up: {self.environment} still runs {self.before or 'no version'}.")
        return 1

    def report(self) -> None:
        if result := os.environ.get("STAGEPASS_RESULT"):
            facts = {"version": self.about["version"], "replaced": self.before, "path": str(self.place / "current")}
            Path(result).write_text(json.dumps(facts), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Publish the version that the request on standard input asks for.")
    parser.add_argument("environments", type=Path)
    parser.add_argument("--pause", type=float, default=0.25, help="Seconds before each line.")
    options = parser.parse_args()
    return Deployment(options.environments, json.load(sys.stdin), options.pause).run()


if __name__ == "__main__":
    sys.exit(main())
