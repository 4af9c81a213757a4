"""The dispatcher: waits for facts, turns them into deliveries, and wakes the workers."""

from __future__ import annotations

import signal
import time
from typing import Any

import psycopg
import structlog
from django.core.management.base import BaseCommand
from django.db import OperationalError, connection

from core.doorbell import ring
from events import outbox
from events.chain import following
from events.services import NOTIFY_CHANNEL

log = structlog.get_logger(__name__)

IDLE_SECONDS = 1.0
SWEEP_SECONDS = 5.0
FOLLOW_SECONDS = 0.5


class Command(BaseCommand):
    help = "Wait for facts and dispatch them; runs until stopped."
    requires_system_checks = []  # they would load every page and form

    def handle(self, *args: Any, **options: Any) -> None:
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        while not self.stopping:
            try:
                self.listen()
            except (OperationalError, psycopg.OperationalError) as error:
                log.warning("dispatch.database_lost", error=str(error))
                connection.close()
                time.sleep(IDLE_SECONDS)

    def stop(self, *args: Any) -> None:
        self.stopping = True

    def listen(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {NOTIFY_CHANNEL}")
        last_sweep = last_follow = 0.0
        while not self.stopping:
            names = outbox.route_facts()
            if time.monotonic() - last_sweep >= SWEEP_SECONDS:
                names |= outbox.due_channels()
                last_sweep = time.monotonic()
            outbox.ring_channels(names)
            if time.monotonic() - last_follow >= FOLLOW_SECONDS and following.lags():
                ring("events.follow_chain")
                last_follow = time.monotonic()
            self.wait()

    def wait(self) -> None:
        """Until a fact is announced, at most IDLE_SECONDS."""
        if connection.connection is None:
            raise OperationalError("the connection is gone")
        for _ in connection.connection.notifies(timeout=IDLE_SECONDS, stop_after=1):
            pass
