"""Deliveries a second to five stub channels of which one is dead: SMTP, Slack, Kafka and two webhooks.

    python -m benchmarks.deliveries [--facts 400] [--processes 2] [--threads 4]

Facts are published first; measured is from the first routing until everything that can be delivered is. The stubs speak
their real protocols on this machine. The dead one takes connections and never answers. Worker processes and their
threads share the channels, as in production; the baseline of the same run is bare rows marked as done, one commit each.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

GOAL = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=400)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()
    from config.stack.postgres import PostgresServer

    with tempfile.TemporaryDirectory(prefix="stagepass-benchmark-") as folder:
        postgres = PostgresServer(Path(folder) / "postgres")
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings.test", "DATABASE_URL": postgres.start(), "STAGEPASS_STATE": folder,
            "SECRET_KEY": "x" * 60, "BROKER_URL": "memory://", "CACHE_URL": "locmemcache://", "EMAIL_URL": "consolemail://",
            "LOG_LEVEL": "CRITICAL",
        }  # fmt: skip
        import django

        django.setup()
        try:
            measure(options.facts, options.processes, options.threads)
        finally:
            postgres.stop()


def play(pipe: Any) -> None:
    """The stubs, in a process of their own: their ports out, the endpoints' secret in, until told to end."""
    from config.stack.kafka import MockCluster
    from tests.fakes.mail_server import MailServer
    from tests.fakes.slack import Slack
    from tests.fakes.webhook_receiver import Receiver

    cluster = MockCluster()
    with MailServer() as mail, Slack("xoxb-token", "secret", "") as slack, Receiver() as well, Receiver() as dead:
        dead.behaviour = "hang"
        pipe.send({"mail": mail.port, "slack": slack.url, "kafka": cluster.address, "well": well.url, "dead": dead.url})
        pipe.recv()
        dead.release.set()
    cluster.close()


def measure(facts: int, processes: int, threads: int) -> None:
    """Make the stubs and the facts, deliver, and print."""
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    stubs = context.Process(target=play, args=(there,), daemon=True)
    stubs.start()
    places = here.recv()
    prepare(facts, places)
    connections.close_all()
    gate, over, used = context.Barrier(processes + 1), context.Event(), context.Value("d", 0.0)
    arguments = (places, threads, gate, over, used)
    workers = [context.Process(target=work, args=arguments, daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    configure(places)
    gate.wait()
    begun, cpu = time.perf_counter(), time.process_time()
    drain()
    seconds = time.perf_counter() - begun
    cpu = time.process_time() - cpu
    over.set()
    for worker in workers:
        worker.join(20)
    report(seconds, cpu + used.value, facts)
    here.send("end")


def configure(places: dict[str, Any]) -> None:
    from django.conf import settings

    import config.celery  # noqa: F401 (doorbells are rung in memory)
    from events.channels import channels

    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", places["mail"]
    settings.SLACK_TOKEN, settings.SLACK_API, settings.SLACK_CHANNEL = (
        "xoxb-token",
        f"{places['slack']}api/",
        "#releases",
    )
    settings.KAFKA = {"bootstrap.servers": places["kafka"]}
    settings.SLACK_CARDS = settings.SLACK_CARDS | {"thing": None}
    options = {"topic": "things", "form": "plain"}
    entries: dict[str, dict[str, Any]] = {
        "email": {"notifier": "events.notifiers.email.EmailNotifier", "at_once": 4},
        "slack": {"notifier": "events.notifiers.slack.SlackNotifier", "alone": True},
        "kafka": {"notifier": "events.notifiers.kafka.KafkaNotifier", "options": options, "ordered": True},
        "webhooks": {"notifier": "events.notifiers.webhooks.WebhookNotifier", "alone": True, "lanes": True},
    }
    settings.SUBSCRIBERS = {name: {"facts": ("thing.*",), **entry} for name, entry in entries.items()}
    channels.cache_clear()


def work(places: dict[str, Any], threads: int, gate: Any, over: Any, used: Any) -> None:
    """One worker process: its threads serve whatever channel has something due; adds up the processor time it used."""
    import django

    django.setup()
    configure(places)

    def serve() -> None:
        from django.db import connection

        from events import outbox

        while not over.is_set():
            names = list(outbox.due_channels())
            random.shuffle(names)
            if not sum(outbox.deliver_channel(name) for name in names):
                over.wait(0.2)  # a doorbell would wake it
        connection.close()

    running = [threading.Thread(target=serve, daemon=True) for _ in range(threads)]
    gate.wait()
    begun = time.process_time()
    for thread in running:
        thread.start()
    over.wait()
    with used:
        used.value += time.process_time() - begun
    for thread in running:
        thread.join(10)


def prepare(facts: int, places: dict[str, Any]) -> None:
    """A tenant whose facts everybody hears of."""
    from django.db import transaction

    from accounts.models import Tenant
    from accounts.roles import Capability
    from events.endpoints.secrets import make_secret, seal
    from events.models import Subscription, WebhookEndpoint
    from events.services import publish
    from events.types import Audience, Subject

    tenant = Tenant.objects.create(slug="tenant-finance", name="Finance")
    Subscription.objects.create(channel="email", target="team@example.com", patterns=["thing.*"])
    for name in ("well", "dead"):
        WebhookEndpoint.objects.create(
            tenant=tenant, name=name, url=places[name], patterns=["thing.*"], secret=seal(make_secret())
        )
    for number in range(facts):
        with transaction.atomic():
            publish(
                type="thing.made", subject=Subject("thing", f"THING-{number}", f"Thing {number}"), tenant=tenant, by=None,
                data={"number": number}, audience=Audience(Capability.VIEW_EVENTS),
            )  # fmt: skip


def drain() -> None:
    """As the dispatcher does: route; then wait until only the dead one has work left."""
    from events import outbox
    from events.models import Delivery

    outbox.route_facts()
    waiting = Delivery.objects.unfinished().exclude(channel=f"webhooks:{_dead_endpoint()}")
    while waiting.exists():
        time.sleep(0.05)


def _dead_endpoint() -> int:
    from events.models import WebhookEndpoint

    return WebhookEndpoint.objects.get(name="dead").pk


def report(seconds: float, cpu: float, facts: int) -> None:
    from django.db.models import Count

    from events.models import Delivery

    done = Delivery.objects.filter(state="done").count()
    for row in Delivery.objects.order_by().values("channel", "state").annotate(number=Count("pk")).order_by("channel"):
        print(f"  {row['channel']:<14}{row['state']:<9}{row['number']}")
    bare = bare_rows(200)
    print(
        f"{done} deliveries of {facts} facts in {seconds:.1f} s: {done / seconds:.0f} a second (goal {GOAL});"
        f" bare rows marked one by one: {bare:.0f} a second;"
        f" {cpu / done * 1000:.2f} ms of processor time for each, without database and stubs"
    )


def bare_rows(count: int) -> float:
    """Rows a second, each marked in a transaction of its own."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE bare (id int primary key, done bool); INSERT INTO bare SELECT generate_series(1, 10000)"
        )
        begun = time.perf_counter()
        for number in range(count):
            cursor.execute("UPDATE bare SET done = true WHERE id = %s", [number + 1])
    return count / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
