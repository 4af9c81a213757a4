"""What recording an event over gRPC costs above an empty call of the same server.

    python benchmarks/tracker_rpc.py [rows already there]      default: 50000

Goal: create >= 0.25 of the empty call (health check), 16 in flight, rounds interleaved. Exit code 1 when it is missed.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from typing import Any

from tracker_world import ROOT, World, a_world, in_threads

IN_FLIGHT = 16
SECONDS = 4.0
ROUNDS = 3


def rate(call: Any, request: Any, metadata: Any) -> float:
    """Answers a second with so many calls in flight."""
    end, done, lock = time.perf_counter() + SECONDS, [0], threading.Lock()

    def run() -> None:
        mine = 0
        while time.perf_counter() < end:
            call(request, metadata=metadata)
            mine += 1
        with lock:
            done[0] += mine

    in_threads(IN_FLIGHT, run)
    return done[0] / SECONDS


def measure(world: World, port: int) -> tuple[float, float]:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    from events.tracker.wire.messages import message

    asks, answers = message("event", "CreateEventRequest"), message("event", "CreateEventResponse")
    request = asks.to_proto(
        {
            "title": "Deploy user-service v2.1.0",
            "attributes": {"message": "Deployed via GitHub Actions", "type": 1, "service": "user-service", "status": 3},
        }
    )
    metadata = [("authorization", f"Bearer {world.token}")]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        create = channel.unary_unary(
            "/tracker.event.v1alpha1.EventService/CreateEvent",
            request_serializer=asks.make.SerializeToString,
            response_deserializer=answers.make.FromString,
        )
        empty = health_pb2_grpc.HealthStub(channel).Check
        create(request, metadata=metadata)
        pairs = [
            (rate(create, request, metadata), rate(empty, health_pb2.HealthCheckRequest(), ())) for _ in range(ROUNDS)
        ]
    return statistics.median(one for one, _ in pairs), statistics.median(two for _, two in pairs)


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with a_world() as world:
        world.fill(rows)
        command = [sys.executable, "manage.py", "rungrpc", "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            create, empty = measure(world, int(process.stdout.readline().rpartition(":")[2]))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    print(f"gRPC create {create:7.0f}/s, empty call {empty:7.0f}/s: {create / empty:.3f} (goal 0.25)")
    return int(create / empty < 0.25)


if __name__ == "__main__":
    sys.exit(main())
