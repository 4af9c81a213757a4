"""`python -m config.stack up`: from an empty directory to the running system, and back on Ctrl-C."""

import argparse
import contextlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TextIO

from config.stack import environment, processes, programs
from config.stack.postgres import PostgresServer
from config.stack.processes import StackError
from config.stack.server import EmbeddedServer
from config.stack.supervisor import Interrupted, Program, Supervisor
from config.stack.valkey import ValkeyServer

HELPERS = ("mailbox", "awx", "kafka", "slack", "jira")


class Stack:
    """One running system: what it was asked for, where it keeps things, and its supervisor."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.state: Path = options.state.absolute()
        self.url = f"http://localhost:{options.port}"
        self.begun = time.monotonic()
        self.supervisor = Supervisor(self.state, directory=environment.ROOT, say=self.say)
        self.values: dict[str, str] = {}

    def say(self, text: str) -> None:
        """Tell the person at the terminal: with the seconds since the start at first, with the time later."""
        seconds = time.monotonic() - self.begun
        show(f"{seconds:6.1f} s  {text}" if seconds < 120 else f"{time.strftime('%H:%M:%S')}  {text}")

    def set(self, name: str, value: str) -> None:
        """Hand a variable down to every process, unless the user has set it: that wins."""
        if not os.environ.get(name):
            os.environ[name] = value
        self.values[name] = os.environ[name]

    # Before anything is started

    def check_ports(self) -> None:
        """Refuse a busy port before anything is started."""
        for option, port in (("--port", self.options.port), ("--grpc-port", self.options.grpc_port)):
            if not processes.port_is_free(port):
                raise StackError(f"Port {port} is taken by another program. Choose another one with {option}.")

    def set_environment(self) -> None:
        """What does not depend on a server that is still to be started."""
        known = environment.load_secrets(self.state)
        self.set("DJANGO_SETTINGS_MODULE", "config.settings.demo")
        self.set("SECRET_KEY", known["SECRET_KEY"])
        os.environ["STAGEPASS_STATE"] = self.values["STAGEPASS_STATE"] = str(self.state)
        self.set("STAGEPASS_URL", self.url)
        self.set("STAGEPASS_GRPC", f"localhost:{self.options.grpc_port}")
        self.set("PYTHONUNBUFFERED", "1")
        # Each process is small and most run threads: what follows saves a quarter of the memory. script/test runs the checks.
        os.environ.setdefault("MALLOC_ARENA_MAX", "2")
        os.environ.setdefault("CELERY_SKIP_CHECKS", "1")
        if self.options.with_awx:
            self.set("AWX_TOKEN", known["AWX_TOKEN"])
            self.set("AWX_WEBHOOK_SECRETS", known["AWX_WEBHOOK_SECRETS"])

        if self.options.with_slack:
            self.set("SLACK_TOKEN", known["SLACK_TOKEN"])
            self.set("SLACK_SIGNING_SECRETS", known["SLACK_SIGNING_SECRETS"])

    # Starting

    def start(self) -> None:
        """Start everything and return when the first page can be answered; raises StackError."""
        self.set_environment()
        places = self.choose_places()
        self.start_servers(places)
        environment.write(self.state, self.values)
        self.run_step(programs.migrate())
        for program in [programs.web(places), *programs.workers(places), programs.rpc(places)]:
            self.supervisor.start(program)
        self.run_step(programs.seed())  # while all of them load
        self.wait_for_page()

    def run_step(self, step: Program) -> None:
        """Run one step of the preparation to its end."""
        self.supervisor.run_once(step)
        self.say(f"{step.name} done")

    def choose_places(self) -> programs.Places:
        """Ports for what nobody has to remember, the same ones at the next start if they are free."""
        run = self.state / "run"
        ports = {name: processes.choose_port(run / f"{name}.port") for name in HELPERS}
        return programs.Places(self.state, self.options.port, self.options.grpc_port, *ports.values())

    def start_servers(self, places: programs.Places) -> None:
        """Start what has no address in the environment."""
        servers: dict[str, EmbeddedServer] = {}
        if not os.environ.get("DATABASE_URL"):
            servers["postgres"] = PostgresServer(self.state / "postgres")
        if not (os.environ.get("BROKER_URL") and os.environ.get("CACHE_URL")):
            servers["valkey"] = ValkeyServer(self.state / "valkey")
        for name, server in servers.items():
            server.prepare()
            self.supervisor.start(server_program(name, server))
        if not os.environ.get("EMAIL_URL"):
            self.supervisor.start(programs.mailbox(places))
            self.set("EMAIL_URL", f"smtp://127.0.0.1:{places.mail_port}")
        if self.options.with_awx:
            self.set("AWX_URL", f"http://127.0.0.1:{places.awx_port}")
            self.supervisor.start(programs.fake_awx(places))
        if self.options.with_slack:
            self.set("SLACK_API", f"http://127.0.0.1:{places.slack_port}/api/")
            self.set("SLACK_CHANNEL", "#releases")
            self.supervisor.start(programs.fake_slack(places))
        if self.options.with_jira:
            self.set("STAGEPASS_DEMO_JIRA", f"http://127.0.0.1:{places.jira_port}")
            self.supervisor.start(programs.fake_jira(places))
        if self.options.with_kafka:
            self.set("KAFKA_BOOTSTRAP", f"127.0.0.1:{places.kafka_port}")
            self.supervisor.start(programs.kafka(places))
        for name, server in servers.items():
            self.wait_for_server(name, server)

    def wait_for_server(self, name: str, server: EmbeddedServer) -> None:
        """Wait until an embedded server takes work, and hand its address down."""
        if not server.wait_ready(lambda: name not in self.supervisor.ended()):
            raise StackError(f"{server.name} does not start:\n{self.supervisor.tail(name)}\n{server.remedy}")
        if isinstance(server, PostgresServer):
            self.set("DATABASE_URL", server.url)
        else:
            self.set("BROKER_URL", f"{server.url}/0")
            self.set("CACHE_URL", f"{server.url}/1")
        self.say(f"{server.name} on 127.0.0.1:{server.port}")

    def wait_for_page(self, timeout: float = 60.0) -> None:
        """Wait until /readyz says yes; raises StackError with what it says otherwise."""
        end, answer = time.monotonic() + timeout, "no answer"
        while time.monotonic() < end:
            for name in self.supervisor.ended():
                raise StackError(f"{name} ended; the end of its log:\n{self.supervisor.tail(name)}")
            ready, answer = ask(f"http://127.0.0.1:{self.options.port}/readyz")
            if ready:
                return
            time.sleep(0.05)
        logs = "\n".join(f"{name}:\n{self.supervisor.tail(name, 5)}" for name in ("web", "worker", "dispatcher"))
        raise StackError(f"{self.url}/readyz did not get ready in {timeout:.0f} s: {answer}\n{logs}")

    # While it runs

    def summary(self) -> str:
        """What a person needs to go on."""
        path = self.state / "demo.json"
        demo = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        lines = ["", f"  Stagepass is ready: {self.url}", ""]
        for role, user in demo.get("users", {}).items():
            lines.append(f"    {role:<10} {user['email']:<32} {user['password']:<20} {user.get('tenant') or ''}")
        lines += [
            "",
            f"  Audit repository  {demo.get('audit_repository') or os.environ.get('GIT_REMOTE', '')}",
            f"  E-mails caught    {demo.get('mailbox') or self.state / 'mailbox'}",
            *([f"  Kafka             {self.values['KAFKA_BOOTSTRAP']}"] if self.options.with_kafka else []),
            *([f"  Slack             {self.values['SLACK_API'][:-4]}"] if self.options.with_slack else []),
            *([f"  Jira              {self.values['STAGEPASS_DEMO_JIRA']}/"] if self.options.with_jira else []),
            f"  Logs              {self.supervisor.logs}",
            f"  Logins, tokens    {path}",
            "",
            f"  See it work:      {story_command()}",
            "  Stop:             Ctrl-C",
            "",
        ]
        return "\n".join(lines)


def server_program(name: str, server: EmbeddedServer) -> Program:
    """An embedded server as a row of the process table; a restart clears what the crash left."""

    def command() -> list[str]:
        server.clear_leftovers()
        return server.command()

    return Program(name, command, programs.SERVERS, server.stop_signal, patience=20, way=server.way)


def show(text: str = "", to: TextIO | None = None) -> None:
    """Print a line; a terminal that has gone must not keep us from stopping in order."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=to or sys.stdout, flush=True)


def ask(url: str) -> tuple[bool, str]:
    """Whether a page answers 200, and what it says."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200, ""
    except urllib.error.HTTPError as error:
        return False, f"{error.code} {error.read(2000).decode(errors='replace')}"
    except OSError as error:
        return False, str(error)


def story_command() -> str:
    """How the demo story is started from another terminal, as short as it can be typed."""
    python = Path(sys.executable)
    if python.is_relative_to(environment.ROOT):
        python = python.relative_to(environment.ROOT)
    return f"{python} manage.py story"


def up(options: argparse.Namespace) -> int:
    """Run the system until a stop is wished for; the exit code."""
    state = options.state.absolute()
    lock = environment.take_lock(state, patience=0.5)  # a short look from another terminal also takes it
    if lock is None:
        holder = processes.tail(state / "run" / "holder", 1)
        show(f"Stagepass already runs in {state}: {holder}")
        return 0
    stack = Stack(options)
    stack.supervisor.listen()
    (state / "run" / "holder").write_text(f"{stack.url} (process {os.getpid()})\n", encoding="utf-8")
    with lock:
        return run(stack)


def run(stack: Stack) -> int:
    """Start, watch, stop; 0 when all went well."""
    code = 0
    try:
        stack.supervisor.clear_leftovers()
        stack.check_ports()
        stack.start()
        stack.say("answering")
        show(stack.summary())
        stack.supervisor.watch()
    except Interrupted:
        pass
    except StackError as error:
        show(f"\nStagepass could not be started. {error}\n", sys.stderr)
        code = 1
    finally:
        if stack.supervisor.running:
            show()
            stack.say("stopping")
        stack.supervisor.stop()
        (stack.state / "environment.json").unlink(missing_ok=True)
        stack.say("stopped")
    return code
