"""What recording an event costs above a bare INSERT into the same table: one by one, and a hundred at a time.

    python benchmarks/tracker_ingest.py [rows already there]      default: 200000

Rounds of both are interleaved, so that whatever else the machine does slows both. Goals: a single POST with token and
validation >= 0.15 of a one-row INSERT, a batch of 100 >= 0.40 of a 100-row INSERT. Exit code 1 when one is missed.
"""

from __future__ import annotations

import json
import statistics
import sys

from tracker_world import MINIMAL, ONE_ROW, World, a_world

ROUNDS = 3
SECONDS = 4
BATCH = 100


def single(world: World, clients: int = 16) -> tuple[float, float]:
    raw = world.request("POST", "event", json.dumps(MINIMAL).encode())
    bare = ONE_ROW.format(tenant=world.tenant.pk, rows=1)
    return measure(world, raw, bare, clients)


def single_by_one(world: World) -> tuple[float, float]:
    return single(world, clients=1)


def batch(world: World) -> tuple[float, float]:
    raw = world.request("POST", "events/batch", json.dumps({"events": [MINIMAL] * BATCH}).encode())
    bare = ONE_ROW.format(tenant=world.tenant.pk, rows=BATCH)
    ours, theirs = measure(world, raw, bare, clients=4)
    return ours * BATCH, theirs * BATCH


def measure(world: World, raw: bytes, bare: str, clients: int) -> tuple[float, float]:
    world.load(raw, clients=clients, seconds=1)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(world.pgbench(bare, clients=min(clients, 8), seconds=SECONDS))
        ours.append(world.load(raw, clients=clients, seconds=SECONDS))
    return statistics.median(ours), statistics.median(theirs)


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with a_world() as world:
        world.fill(rows)
        with world.serving():
            missed = False
            for name, run, goal in (
                ("single POST, 1 client", single_by_one, 0.15),
                ("single POST, 16 clients", single, 0.15),
                ("batch of 100", batch, 0.40),
            ):
                ours, bare = run(world)
                missed |= ours / bare < goal
                print(
                    f"{name:<24} {ours:9.0f} events/s, bare INSERT {bare:9.0f} rows/s: {ours / bare:.3f} (goal {goal:.2f})"
                )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
