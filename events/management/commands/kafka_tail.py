"""Prints what is in Kafka as it comes: to look at it, and as the example of a consumer."""

from __future__ import annotations

import argparse
import json
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Print the messages of our topics as they come; runs until stopped."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("topics", nargs="*", help="Which topics; all of ours by default.")
        parser.add_argument(
            "--group", default="stagepass-tail", help="Consumer group, which remembers how far it read."
        )
        parser.add_argument("--count", type=int, default=0, help="Stop after so many messages.")
        parser.add_argument("--json", action="store_true", help="Whole messages, one a line.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.KAFKA.get("bootstrap.servers"):
            raise CommandError("Set KAFKA_BOOTSTRAP, or start the system with script/up --with-kafka.")
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        self.follow(options.pop("topics") or list(settings.KAFKA_TOPICS.values()), **options)

    def stop(self, *args: Any) -> None:
        self.stopping = True

    def follow(self, topics: list[str], *, group: str, count: int, json: bool, **options: Any) -> None:
        """Read, print, and only then say how far we are: what is not printed comes again."""
        from confluent_kafka import Consumer

        own = {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
        consumer = Consumer(settings.KAFKA | own | {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000})
        consumer.subscribe(topics)
        printed = 0
        try:
            while not self.stopping and (not count or printed < count):
                message = consumer.poll(0.5)
                if message is None or message.error():
                    continue
                self.stdout.write(line_of(message, whole=json))
                self.stdout.flush()
                consumer.commit(message=message, asynchronous=False)
                printed += 1
        finally:
            consumer.close()


def line_of(message: Any, *, whole: bool) -> str:
    """One line: where, which subject, what; or all of it as JSON."""
    body = json.loads(message.value())
    if whole:
        return json.dumps({"topic": message.topic(), "key": message.key().decode(), "value": body}, ensure_ascii=False)
    place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
    when = str(body.get("timestamp") or body.get("time"))[:19]
    return f"{when}  {place:<28} {message.key().decode():<16} {body['type']}"
