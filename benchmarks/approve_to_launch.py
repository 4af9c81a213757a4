"""From an approval to the launch of its job, in the whole running system with a fake AWX on an idle machine.

    python -m benchmarks.approve_to_launch [--rounds 30]

Measured from the approval's fact to the fact that AWX answered the launch, so the audit commit lies in between. The
bare baseline of the same run is one commit of a row and one hop through the broker.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import psycopg
import redis

from tests.workflows.system import System

BETWEEN = """
SELECT extract(epoch FROM started.occurred_at - approved.occurred_at) * 1000
FROM events_domainevent approved JOIN events_domainevent started USING (subject_id)
WHERE approved.type = 'promotion.approved' AND started.type = 'deployment.started' AND subject_id = %s
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="stagepass-benchmark-") as folder:
        system = System(Path(folder))
        try:
            one_deployment(system)  # the first one warms the processes
            times = sorted(one_deployment(system) for _ in range(rounds))
            bare = statistics.median(bare_hop(system) for _ in range(rounds))
        finally:
            system.up.stop()
    median, p95 = statistics.median(times), times[int(len(times) * 0.95) - 1]
    print(
        f"approve to launch: median {median:.0f} ms, p95 {p95:.0f} ms of {rounds}; {median / bare:.0f} bare hops with commit"
    )


def one_deployment(system: System) -> float:
    """Milliseconds from one approval to its launch."""
    number = system.request()
    system.settle()
    system.approve(number)
    assert system.ended(number) == "deployed"
    return float(system.sql(BETWEEN, number)[0][0])


def bare_hop(system: System) -> float:
    """Milliseconds for one committed row and one message through the broker."""
    broker = redis.Redis.from_url(system.values["BROKER_URL"])
    with psycopg.connect(system.values["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bare_hop (at timestamptz)")
        begun = time.perf_counter()
        connection.execute("INSERT INTO bare_hop VALUES (now())")
        broker.lpush("bare_hop", b"1")
        broker.blpop("bare_hop")
        return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main()
