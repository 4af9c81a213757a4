"""The table of processes that make up the running system."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from config.stack.supervisor import Program

SERVERS, HELPERS, WORKERS, FACES = range(4)  # stages: started in this order, stopped in the reverse


@dataclass(frozen=True)
class Places:
    """Where the processes listen and keep their files."""

    state: Path
    port: int
    grpc_port: int
    mail_port: int
    awx_port: int
    kafka_port: int = 0
    slack_port: int = 0
    jira_port: int = 0


def manage(*arguments: str) -> list[str]:
    """A command of Django's."""
    return [sys.executable, "manage.py", *arguments]


def module(*arguments: str) -> list[str]:
    """A Python module that runs as a program."""
    return [sys.executable, "-m", *arguments]


def program(name: str, stage: int, command: Sequence[str], patience: float = 10.0) -> Program:
    """One row of the table."""
    return Program(name, lambda: command, stage, patience=patience)


def mailbox(places: Places) -> Program:
    """Catches the e-mails that the system sends. Run by path: it needs nothing of the project."""
    script = str(Path(__file__).with_name("mailbox.py"))
    options = ["--port", str(places.mail_port), "--directory", str(places.state / "mailbox")]
    return program("mailbox", HELPERS, [sys.executable, "-P", script, *options])


def fake_awx(places: Places) -> Program:
    """Plays AWX, to see that path by hand."""
    return program("awx", HELPERS, module("tests.fakes.awx", "--port", str(places.awx_port)))


def kafka(places: Places) -> Program:
    """Plays a Kafka broker. Run by path: it needs nothing of the project."""
    script = str(Path(__file__).with_name("kafka.py"))
    return program("kafka", HELPERS, [sys.executable, "-P", script, "--port", str(places.kafka_port)])


def fake_slack(places: Places) -> Program:
    """Plays Slack, with a page that shows the messages and whose buttons work."""
    where = ["--port", str(places.slack_port), "--app", f"http://127.0.0.1:{places.port}"]
    return program("slack", HELPERS, module("tests.fakes.slack", *where))


def fake_jira(places: Places) -> Program:
    """Plays Jira, with a page whose issues can be moved and commented; the demo connects to it."""
    return program("jira", HELPERS, module("tests.fakes.jira", "--port", str(places.jira_port)))


def migrate() -> Program:
    """Bring the database's tables up to date; ends by itself."""
    return program("migrate", WORKERS, manage("migrate", "--no-input", "--skip-checks"))


def seed() -> Program:
    """Make the demo's people and things where they are missing; ends by itself."""
    return program("seed", WORKERS, manage("seed_demo"))


def web(places: Places) -> Program:
    """Answers browsers and programs."""
    options = ["--interface", "asgi", "--host", "127.0.0.1", "--port", str(places.port), "--workers", "1"]
    options += ["--no-ws", "--no-access-log", "--workers-kill-timeout", "5"]
    return program("web", FACES, module("granian", *options, "config.asgi:application"))


def rpc(places: Places) -> Program:
    """Answers Tracker's clients over gRPC."""
    return program("grpc", FACES, manage("rungrpc", "--port", str(places.grpc_port)), patience=15)


def workers(places: Places) -> list[Program]:
    """Do the work that no browser waits for."""
    worker = module(
        "celery", "-A", "config", "worker", "-P", "threads", "-c", "8", "--without-gossip", "--without-mingle"
    )
    beat = module("celery", "-A", "config.clock", "beat", "-s", str(places.state / "beat-schedule"), "--pidfile=")
    return [
        program("dispatcher", WORKERS, manage("dispatch")),
        program("worker", WORKERS, worker),
        program("beat", WORKERS, beat),
    ]
