"""What finding events costs: pages against a bare SELECT, at any depth, without a match, by text; and how it grows.

    python benchmarks/tracker_search.py [rows ...]      default: 50000 250000

Goals: a filtered page of 50 >= 0.05 of the bare SELECT's rate, its time growing <= 1.3 from the first size to the last;
a page at half depth <= 1.5 of page one; each documented filter without a match <= 10 ms; text p95 <= 200 ms.
Exit code 1 when one is missed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from tracker_world import World, a_world, fetch, milliseconds

PAGE = "events/search?type=1&environment=7&per_page=50"
BARE = """
SELECT * FROM events_event WHERE tenant_id = {tenant} AND type = 1 AND environment = 7
ORDER BY happened_at DESC, id DESC LIMIT 50
"""
ABSENT = {
    "priority": "priority=1&start_date=2040-01-01", "service": "service=absent", "type": "type=4&environment=8",
    "environment": "environment=8", "status": "status=waiting_approval", "start_date": "start_date=2040-01-01",
    "end_date": "end_date=2001-01-01", "source": "source=absent", "impact": "impact=3", "owner": "owner=absent",
    "slack_id": "slack_id=absent", "ticket": "ticket=absent",
    "related_id": "related_id=00000000-0000-7000-8000-000000000000", "q": "q=absentword",
}  # fmt: skip
WORDS = {
    "in every event": "deployed",
    "in one of 5,000": "word17",
    "in twenty": "needle",
    "two words": "deployed+word99",
}
ROUNDS = 3


class Report:
    """Prints a line for each goal and remembers whether one was missed."""

    missed = False

    def tell(self, name: str, value: float, goal: float, *, at_least: bool = False, text: str = "") -> None:
        good = value >= goal if at_least else value <= goal
        self.missed |= not good
        sign = ">=" if at_least else "<="
        print(f"  {name:<34} {value:9.3f} (goal {sign} {goal:g}){'' if good else '  MISSED'} {text}", flush=True)


def api(world: World, path: str) -> dict[str, object]:
    return fetch(f"{world.url}/api/v1alpha1/{path}", world.token)


def measure(world: World, rows: int, report: Report) -> float:
    print(f"{rows:,} events", flush=True)
    raw, bare_sql = world.request("GET", PAGE), BARE.format(tenant=world.tenant.pk)
    world.load(raw, clients=4, seconds=1)
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(world.pgbench(bare_sql, clients=4))
        ours.append(world.load(raw, clients=4))
    rate, bare_rate = statistics.median(ours), statistics.median(bare)
    report.tell(
        "page of 50 / bare SELECT", rate / bare_rate, 0.05, at_least=True, text=f"{rate:.0f}/s, {bare_rate:.0f}/s"
    )
    first = milliseconds(lambda: api(world, PAGE))
    _depth(world, report)
    for name, query in ABSENT.items():
        report.tell(f"no match: {name} (ms)", in_process(world, query), 10)
    for name, words in WORDS.items():
        report.tell(f"text {name} (ms, p95)", in_process(world, f"q={words}&per_page=50", p95=True), 200)
    return first


def _depth(world: World, report: Report) -> None:
    """A page in the middle by its cursor, and the first one, in turns."""
    from events.models import Event
    from events.tracker.search import encode_cursor

    middle = Event.objects.filter(tenant=world.tenant).order_by("happened_at")[Event.objects.count() // 2]
    paths = {"first": "events/list?per_page=50", "deep": f"events/list?per_page=50&cursor={encode_cursor(middle)}"}
    times = alternating({name: lambda path=path: api(world, path) for name, path in paths.items()})
    report.tell("page at half depth / page one", times["deep"] / times["first"], 1.5, text=f"{times['deep']:.1f} ms")


def alternating(calls: dict[str, Callable[[], object]], runs: int = 25) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(runs):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - begun) * 1000)
    return {name: statistics.median(each) for name, each in times.items()}


def in_process(world: World, query: str, *, p95: bool = False) -> float:
    """The time of the search itself: criteria, page, count."""
    from django.http import QueryDict

    from events.tracker.access import Caller
    from events.tracker.api.reading import read_query
    from events.tracker.operations.events import search_events
    from events.tracker.wire.codec import Reading
    from events.tracker.wire.messages import message

    caller = Caller(world.user)
    plain = read_query(QueryDict(query), message("event", "SearchEventsRequest"), Reading())
    search_events(caller, plain)
    times = []
    for _ in range(20 if p95 else 9):
        begun = time.perf_counter()
        search_events(caller, plain)
        times.append((time.perf_counter() - begun) * 1000)
    return sorted(times)[int(len(times) * 0.95) - 1] if p95 else statistics.median(times)


def main() -> int:
    sizes = [int(size) for size in sys.argv[1:]] or [50_000, 250_000]
    report = Report()
    with a_world() as world:
        pages = []
        for rows in sizes:
            begun = time.perf_counter()
            world.fill(rows)
            print(f"filled in {time.perf_counter() - begun:.0f} s", flush=True)
            with world.serving():
                pages.append(measure(world, rows, report))
        if len(pages) > 1:
            report.tell(f"page at {sizes[-1]:,} / at {sizes[0]:,}", pages[-1] / pages[0], 1.3)
    return int(report.missed)


if __name__ == "__main__":
    sys.exit(main())
