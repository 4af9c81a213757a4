"""How long the chain of a ticket takes with 1,000 events linked to it, among many other chains, and how fast facts are read.

    python benchmarks/chain_walk.py [others]      # others: events of other tickets beside it (default 20,000)

Goal: the chain of a ticket with 1,000 linked events within 100 ms.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from tracker_world import a_world

LINKED, ROUNDS, GOAL_MS = 1000, 30, 100.0


def contents(ticket: str, count: int) -> list[dict[str, Any]]:
    """Deployments and incidents that name the ticket, a thousand each."""
    from events.tracker.vocabulary import Environment, Status, Type

    return [
        {
            "title": f"Deploy shop 1.{number}.0", "type": Type.incident if number % 10 == 9 else Type.deployment,
            "service": f"shop-{number % 50}", "status": Status.success, "environment": Environment.production,
            "ticket": f"{ticket}-{number // LINKED + 1}",
        }
        for number in range(count)
    ]  # fmt: skip


def main() -> int:
    from django.db import connection

    from accounts.models import Tenant
    from events.chain.following import follow_log
    from events.chain.kinds import NodeKind
    from events.chain.walking import walk
    from events.models import ChainNode
    from events.tracker.bulk import record_events
    from events.tracker.vocabulary import Type

    others = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    tenant = Tenant.objects.create(slug=f"bench-{time.time_ns()}", name="Benchmark")
    mine = contents("MINE", LINKED)
    for content in mine:
        content["type"] = Type.deployment
    record_events(tenant=tenant, contents=mine, by=None)
    rest = contents("OTHER", others)
    for begin in range(0, others, LINKED):
        record_events(tenant=tenant, contents=rest[begin : begin + LINKED], by=None)
    begun, facts = time.perf_counter(), 0
    while count := follow_log(batches=1):
        facts += count
    seconds = time.perf_counter() - begun
    nodes = ChainNode.objects.filter(tenant=tenant).count()
    print(f"read {facts} facts into {nodes} things in {seconds:.1f} s: {nodes / seconds:,.0f} a second")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events_chainnode, events_chainedge")
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        chain = walk(tenant_id=tenant.pk, starts=(NodeKind.TICKET.value, "MINE-1"), audiences=["view_events"])
        times.append((time.perf_counter() - begun) * 1000)
    p50, p95 = statistics.median(times), sorted(times)[int(len(times) * 0.95) - 1]
    print(f"chain of {len(chain.nodes)} things: p50 {p50:.1f} ms, p95 {p95:.1f} ms; goal {GOAL_MS:.0f} ms")
    print("met" if p95 <= GOAL_MS else "MISSED")
    return int(p95 > GOAL_MS)


if __name__ == "__main__":
    with a_world():
        sys.exit(main())
