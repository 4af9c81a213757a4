"""What stamping, promoting, releasing, reverting and closing cost, and how that grows with the application.

    python -m benchmarks.import_maps [modules ...] [--open-tickets 1000] [--rounds 15]     default: 50 2000 20000

Starts a PostgreSQL of its own (without fsync), fills one application of each size, half of them with many open tickets,
and takes the medians of each verb, the sizes interleaved, beside a bare transaction of as many empty statements as a release
has; then lets 8 writers release at once and counts what got lost. Exit code 1 when a goal is missed. What is served, and the
comparison with nginx and import-map-deployer: benchmarks/map_serving.py.
"""

from __future__ import annotations

import argparse
import hashlib
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks.promotion_list import a_database

MOST_MS, MOST_GROWTH = 20.0, 1.5
STATEMENTS = 12


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class World:
    """One person who may do everything, a project, and applications of each size."""

    def __init__(self) -> None:
        from accounts.models import Tenant, User
        from accounts.roles import Role
        from accounts.services import grant_role
        from tickets.services import create_project

        self.tenant = Tenant.objects.create(slug="t", name="T")
        self.cpi = User.objects.create_user("cpi@example.com", "x")
        grant_role(user=self.cpi, tenant=self.tenant, role=Role.CPI)
        self.project = create_project(key="t/app", tenant=self.tenant, by=self.cpi, prefix="TKT")
        self.number = 0

    def application(self, modules: int, open_tickets: int) -> Any:
        from iep.models import Application, Blob, Module, Release

        app = Application.objects.create(
            tenant=self.tenant, slug=f"app-{modules}", name="App", project=self.project, sign_off=False, revision=1
        )
        Release.objects.create(application=app, revision=1, kind="baseline")
        paths = [f"src/area{n % 40}/module{n}.js" for n in range(modules)]
        Module.objects.bulk_create(
            Module(application=app, path=path, digest=digest(path), size=100, revision=1) for path in paths
        )
        Blob.objects.create(application=app, digest=digest("new"), size=3)
        for n in range(open_tickets):
            self.stamp(app, f"src/area{n % 40}/own{n}.js")
        return Application.objects.select_related("tenant", "project").get(pk=app.pk)

    def stamp(self, app: Any, path: str, key: str = "") -> Any:
        from iep.services import stamp_ticket, ticket_for
        from iep.types import File, Manifest

        self.number += 1
        ticket = ticket_for(application=app, key=key or f"TKT-{self.number}", by=self.cpi)
        manifest = Manifest(files=(File(path, digest("new"), 3),))
        return stamp_ticket(application=app, ticket=ticket, manifest=manifest, by=self.cpi).stamp

    def round(self, app: Any, n: int) -> dict[str, float]:
        """The seconds of each verb on a new ticket."""
        from iep.services import close_stamp, promote_stamp, release_stamp, revert_stamp
        from iep.services.change import load

        took: dict[str, float] = {}

        def timed(name: str, work: Callable[[], Any]) -> Any:
            begun = time.perf_counter()
            result = work()
            took[name] = time.perf_counter() - begun
            return result

        timed("bare transaction", bare)
        self.stamp(app, f"src/round/{n}-first.js", key=f"TKT-{90000 + n}{app.pk}")
        stamp = timed("stamp", lambda: self.stamp(app, f"src/round/{n}.js", key=f"TKT-{90000 + n}{app.pk}"))
        timed("promote", lambda: promote_stamp(stamp=load(stamp), by=self.cpi))
        timed("release", lambda: release_stamp(stamp=load(stamp), by=self.cpi))
        timed("revert", lambda: revert_stamp(stamp=load(stamp), by=self.cpi))
        timed("close", lambda: close_stamp(stamp=load(stamp), by=self.cpi))
        return took


def bare() -> None:
    """What as many statements cost that do nothing."""
    from django.db import transaction

    from core.sql import run

    with transaction.atomic():
        for _ in range(STATEMENTS):
            run("SELECT 1", ())


def verbs(world: World, apps: dict[int, Any], rounds: int) -> bool:
    taken: dict[int, dict[str, list[float]]] = {size: {} for size in apps}
    for n in range(rounds):
        for size, app in apps.items():
            for name, seconds in world.round(app, n).items():
                taken[size].setdefault(name, []).append(seconds * 1000)
    print("\nMedian ms           " + "".join(f"{size:>10,}" for size in apps) + "    growth")
    fine = True
    for name in next(iter(taken.values())):
        middle = [statistics.median(taken[size][name]) for size in apps]
        reference = middle[1] if len(middle) > 2 else middle[0]
        growth = middle[-1] / reference
        good = name == "bare transaction" or (reference <= MOST_MS and growth <= MOST_GROWTH)
        fine &= good
        print(f"{name:<20}" + "".join(f"{ms:>10.1f}" for ms in middle) + f"{growth:>9.2f}  {'' if good else 'MISSED'}")
    return fine


def writers(world: World, app: Any) -> bool:
    """8 writers release 5 tickets each at once; every file must be there afterwards."""
    from django.db import connection

    from iep.models import Module
    from iep.services import promote_stamp, release_stamp
    from iep.services.change import load

    stamps = [world.stamp(app, f"src/writers/{n}.js") for n in range(40)]
    for stamp in stamps:
        promote_stamp(stamp=load(stamp), by=world.cpi)

    def work(mine: list[Any]) -> None:
        for stamp in mine:
            release_stamp(stamp=load(stamp), by=world.cpi)
        connection.close()

    threads = [threading.Thread(target=work, args=(stamps[n::8],)) for n in range(8)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    there = Module.objects.filter(application=app, path__startswith="src/writers/").count()
    print(f"\n8 writers: {40 / took:.0f} releases/s, {40 - there} of 40 lost")
    return there == 40


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("a server does not start")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("modules", type=int, nargs="*", default=[50, 2000, 20000])
    parser.add_argument("--open-tickets", type=int, default=1000, help="In the largest application.")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with a_database():
        from django.conf import settings

        settings.CELERY_BROKER_URL = "memory://"  # nobody has to hear the doorbells here
        world = World()
        largest = max(options.modules)
        apps = {
            size: world.application(size, options.open_tickets if size == largest else 0) for size in options.modules
        }
        print(f"{options.open_tickets} open tickets on the application of {largest:,} modules, none on the others")
        fine = verbs(world, apps, options.rounds)
        fine &= writers(world, apps[min(options.modules)])
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
