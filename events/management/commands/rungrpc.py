"""Serve Tracker over gRPC until stopped."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

import grpc
import structlog
from django.core.management.base import BaseCommand, CommandError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import start_http_server

from events.rpc.server import RpcServer

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Serve Tracker over gRPC until stopped."
    requires_system_checks = []  # they would load every page and form

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
        parser.add_argument("--port", type=int, default=8765, help="0: any free one (%(default)s)")
        parser.add_argument("--threads", type=int, default=8, help="calls at a time (%(default)s)")
        parser.add_argument("--watchers", type=int, default=16, help="streams at a time (%(default)s)")
        parser.add_argument("--metrics-port", type=int, default=0, help="Prometheus metrics; 0: none (%(default)s)")

        parser.add_argument("--check", action="store_true", help="only ask the server there whether it serves")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            self.check_server(f"{options['host']}:{options['port']}")
        else:
            self.serve(options)

    def check_server(self, address: str) -> None:
        """CommandError unless the server at this address says that it serves."""
        with grpc.insecure_channel(address) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
            except grpc.RpcError as error:
                raise CommandError(f"{address} does not answer: {error}") from error
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise CommandError(f"{address} does not serve.")

    def serve(self, options: dict[str, Any]) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        server = RpcServer(calls=options["threads"], watchers=options["watchers"])
        try:
            port = server.start(f"{options['host']}:{options['port']}")
        except RuntimeError as error:
            raise CommandError(
                f"Port {options['port']} is taken by another program. Choose one with --port."
            ) from error
        if options["metrics_port"]:
            start_http_server(options["metrics_port"])
        self.stdout.write(f"Serving gRPC on {options['host']}:{port}")
        self.stdout.flush()
        stopping.wait()
        log.info("rpc.stopping")
        server.stop().wait()
