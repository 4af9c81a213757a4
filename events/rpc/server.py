"""The gRPC server: all services of Tracker, health and reflection, on a fixed number of threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from events.rpc.calls import unary
from events.rpc.feed import Feed
from events.rpc.reflection import add_reflection
from events.rpc.watch import Watch
from events.tracker.operations import catalog, events, locks
from events.tracker.operations.table import OPERATIONS
from events.tracker.wire.messages import FILES

__all__ = ["RpcServer", "catalog", "events", "locks"]

log = structlog.get_logger(__name__)

GRACE_SECONDS = 10.0
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
OPTIONS = [
    ("grpc.so_reuseport", 0),  # a taken port is an error, not a second server
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
]


class RpcServer:
    """One server. Each thread may use one database connection: `calls` + `watchers`, the feed and the recorder."""

    def __init__(self, *, calls: int = 8, watchers: int = 16) -> None:
        self.feed = Feed()
        self.health = health.HealthServicer()
        pool = ThreadPoolExecutor(calls + watchers, thread_name_prefix="rpc")
        self.server = grpc.server(pool, options=OPTIONS)
        watch = Watch(self.feed, watchers)
        self.names = [self._add_service(package, watch) for package in FILES]
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        add_reflection(self.server, [*self.names, health.SERVICE_NAME])

    def _add_service(self, package: str, watch: Watch) -> str:
        service = next(iter(FILES[package].services_by_name.values()))
        handlers = {name: unary(operation) for (of, name), operation in OPERATIONS.items() if of == package}
        if "WatchEvents" in service.methods_by_name:
            handlers["WatchEvents"] = watch.handler()
        assert set(handlers) == set(service.methods_by_name), service.full_name
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service.full_name, handlers)])
        return service.full_name

    def start(self, address: str) -> int:
        """Listen at host:port (port 0: any free one); the port. RuntimeError when it is taken."""
        port = self.server.add_insecure_port(address)
        self.server.start()
        for name in ("", *self.names):
            self.health.set(name, SERVING)
        return port

    def stop(self, grace: float = GRACE_SECONDS) -> threading.Event:
        """Say that we stop, end the streams, let running calls finish; set once all is over."""
        self.health.enter_graceful_shutdown()
        self.feed.stop()
        return self.server.stop(grace)
