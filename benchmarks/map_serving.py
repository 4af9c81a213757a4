"""Import maps beside a static file of nginx and import-map-deployer: reads, updates, lost updates, freshness.

    python -m benchmarks.map_serving [--seconds 3] [--rounds 3] [--modules 50 2000] [--imd FOLDER]

Needs `wrk` and `nginx` (Debian: apt-get install wrk nginx-light) and node with npm; import-map-deployer is installed into a
temporary folder unless --imd names one that has node_modules/import-map-deployer. Starts a PostgreSQL of its own that does
wait for the disk, one process of each server, and the same load generator with 32 connections for all of them, which take
turns; prints medians and their ratios. Then 8 writers at once, to one process and to two. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.import_maps import World, digest
from benchmarks.map_servers import CONNECTIONS, deployer, get, installed_deployer, nginx, our_server, send, wrk
from benchmarks.promotion_list import a_database

SERVICES = "/services?skip_url_check=true"
WRITERS, UPDATES = 8, 200
TURNS = 2  # contents that a file changes between


def in_turns(ways: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median of each way, the rounds of all of them interleaved."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(way())
    return {name: statistics.median(values) for name, values in taken.items()}


def verdict(what: str, value: float, goal: float) -> bool:
    good = value >= goal
    print(f"    {what:<58} {value:8.2f}   goal {goal:g}{'' if good else '   MISSED'}")
    return good


# What is measured


class Bench:
    def __init__(self, world: World, place: Path, deployer_place: Path, options: argparse.Namespace) -> None:
        from accounts.services import issue_token

        self.world, self.place, self.deployer_place, self.options = world, place, deployer_place, options
        secret = issue_token(user=world.cpi, name="benchmark", scopes=["iep:read", "iep:write", "iep:release"])[1]
        self.headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self.fine = True

    def check(self, what: str, value: float, goal: float) -> None:
        self.fine &= verdict(what, value, goal)

    def reads(self, port: int, app: Any, modules: int) -> None:
        from iep import maps

        made = maps.production_map(app)
        served, written = self.place / f"map-{modules}.json", self.place / f"deployed-{modules}.json"
        for file in (served, written):
            file.write_text(made.document)
            file.chmod(0o644)
        mine, seconds = f"http://127.0.0.1:{port}/iep", self.options.seconds
        assert get(f"{mine}/map/{made.digest}.json").decode() == made.document
        with nginx(self.place) as static, deployer(self.deployer_place, written) as other:
            assert len(get(f"http://127.0.0.1:{other}/import-map.json")) >= len(made.document) - 10
            rates = in_turns(
                {
                    "nginx": lambda: wrk(f"http://127.0.0.1:{static}/{served.name}", seconds),
                    "by digest": lambda: wrk(f"{mine}/map/{made.digest}.json", seconds),
                    "pointer": lambda: wrk(f"{mine}/{app.slug}/map.json", seconds),
                    "pointer 304": lambda: wrk(
                        f"{mine}/{app.slug}/map.json", seconds, "-H", f'If-None-Match: "{made.digest}.json"'
                    ),
                    "import-map-deployer": lambda: wrk(f"http://127.0.0.1:{other}/import-map.json", seconds),
                },
                self.options.rounds,
            )
        print(f"\n{modules:,} modules, {len(made.document):,} bytes; requests a second: {shown(rates)}")
        self.check("map by digest, of nginx", rates["by digest"] / rates["nginx"], 0.30)
        self.check("map by digest, of import-map-deployer", rates["by digest"] / rates["import-map-deployer"], 5)
        self.check("pointer, of nginx", rates["pointer"] / rates["nginx"], 0.20)

    def updates(self, port: int, app: Any, modules: int) -> None:
        """One file saved and live: ours a stamp with its fact, theirs a PATCH of one service."""
        from iep.models import Blob

        tickets = [self.world.stamp(app, f"src/load/{n}.js") for n in range(CONNECTIONS)]
        contents = [digest(f"turn {n}") for n in range(TURNS)]
        Blob.objects.bulk_create(Blob(application=app, digest=each, size=3) for each in contents)
        first = int(tickets[0].ticket.key.partition("-")[2])
        mine = self._script("mine", "POST", f"/v1/iep/applications/{app.slug}/stamps/TKT-%d", contents, first)
        theirs = self._script("theirs", "PATCH", SERVICES, contents, 0)
        written = self.place / f"deployed-{modules}.json"
        with deployer(self.deployer_place, written) as other:
            rates = in_turns(
                {
                    "stamp over HTTP": lambda: wrk(f"http://127.0.0.1:{port}", self.options.seconds, "-s", mine),
                    "import-map-deployer's update": lambda: wrk(
                        f"http://127.0.0.1:{other}", self.options.seconds, "-s", theirs
                    ),
                    "release or take back by 8 threads": lambda: self._releases(app),
                },
                self.options.rounds,
            )
        print(f"\n{modules:,} modules; updates a second: {shown(rates)}")
        reference = rates["import-map-deployer's update"]
        goal = 0.3 if modules < 1000 else 1.0
        for name in ("stamp over HTTP", "release or take back by 8 threads"):
            self.check(f"{name}, of import-map-deployer's update", rates[name] / reference, goal)

    def _script(self, name: str, method: str, path: str, contents: list[str], first: int) -> str:
        if method == "POST":
            body = json.dumps({"files": [{"path": "src/load/%d.js", "digest": "DIGEST", "size": 3}]})
        else:
            body = json.dumps({"service": "/iep/m/app/src/load/%d.js", "url": "/iep/m/app/src/load/x~DIGEST.js"})
        headers = ", ".join(f'["{key}"] = "{value}"' for key, value in self.headers.items())
        text = f"""
local n, first, contents = 0, {first}, {{"{contents[0]}", "{contents[1]}"}}
function request()
  n = n + 1
  local file, turn = (n - 1) % {CONNECTIONS}, math.floor((n - 1) / {CONNECTIONS}) % 2
  local body = string.format([[{body.replace("DIGEST", "%s")}]], file, contents[turn + 1])
  return wrk.format("{method}", (string.gsub("{path}", "%%d", first + file)), {{{headers}}}, body)
end
"""
        place = self.place / f"{name}.lua"
        place.write_text(text)
        return str(place)

    def _releases(self, app: Any) -> float:
        from django.db import connection

        from iep.services import promote_stamp, release_stamp, take_back_release
        from iep.services.change import load

        first = self.world.number + 1
        stamps = [self.world.stamp(app, f"src/release/{n}.js") for n in range(first, first + WRITERS)]
        for stamp in stamps:
            promote_stamp(stamp=load(stamp), by=self.world.cpi)
        began = time.perf_counter()

        def work(stamp: Any) -> int:
            done = 0
            while time.perf_counter() - began < self.options.seconds:
                step = take_back_release if done % 2 else release_stamp
                step(stamp=load(stamp), by=self.world.cpi)
                done += 1
            connection.close()
            return done

        with ThreadPoolExecutor(WRITERS) as pool:
            done = sum(pool.map(work, stamps))
        return done / (time.perf_counter() - began)

    def lost(self, ports: list[int], app: Any) -> None:
        """8 writers, each of them on its own files, to one process of each server and to two."""
        from iep.models import Blob, Stamp

        Blob.objects.get_or_create(application=app, digest=digest("lost"), size=4)
        print(f"\n{WRITERS} writers at once, {UPDATES} updates; lost although they were answered well:")
        for processes in (1, 2):
            key = f"TKT-{800_000 + processes}"
            self.world.stamp(app, "src/first.js", key=key)
            files = [f"src/lost{processes}/{n}.js" for n in range(UPDATES)]
            bodies = [{"files": [{"path": path, "digest": digest("lost"), "size": 4}]} for path in files]
            path = f"/v1/iep/applications/{app.slug}/stamps/{key}"
            good = self._write("POST", ports[:processes], path, bodies)
            delta = Stamp.objects.get(application=app, ticket__key=key).delta
            missing = [file for file, fine in zip(files, good, strict=True) if fine and file not in delta]
            print(f"    ours, {processes} process(es), one ticket: {len(missing)} of {sum(good)} lost")
            self.fine &= not missing and sum(good) == UPDATES

            written = self.place / f"lost-{processes}.json"
            written.write_text('{"imports": {}, "scopes": {}}')
            with contextlib.ExitStack() as stack:
                others = [stack.enter_context(deployer(self.deployer_place, written)) for _ in range(processes)]
                services = [{"service": file, "url": f"/{file}"} for file in files]
                good = self._write("PATCH", others, SERVICES, services)
            try:
                there = json.loads(written.read_text())["imports"]
                missing = [file for file, fine in zip(files, good, strict=True) if fine and file not in there]
                print(f"    import-map-deployer, {processes} process(es): {len(missing)} of {sum(good)} lost")
            except ValueError:
                print(
                    f"    import-map-deployer, {processes} process(es): all of {sum(good)} lost, its file is no JSON now"
                )

    def _write(self, method: str, ports: list[int], path: str, bodies: list[dict[str, Any]]) -> list[bool]:
        def one(number: int) -> bool:
            url = f"http://127.0.0.1:{ports[number % len(ports)]}{path}"
            return send(method, url, bodies[number], self.headers) < 300

        with ThreadPoolExecutor(WRITERS) as pool:
            return list(pool.map(one, range(len(bodies))))

    def freshness(self, ports: list[int], app: Any) -> None:
        """From the commit of a release until every process answers with it, under load."""
        from iep.services import promote_stamp, release_stamp, take_back_release
        from iep.services.change import load

        stamp = self.world.stamp(app, "src/fresh.js", key="TKT-900001")
        promote_stamp(stamp=load(stamp), by=self.world.cpi)
        address = f"/iep/{app.slug}/map.json"
        stop = threading.Event()
        load_on = threading.Thread(
            target=lambda: [wrk(f"http://127.0.0.1:{ports[0]}{address}", 1) for _ in iter(stop.is_set, True)]
        )
        load_on.start()
        waits = []
        try:
            for turn in range(10):
                step = take_back_release if turn % 2 else release_stamp
                step(stamp=load(stamp), by=self.world.cpi)
                began, wanted = time.perf_counter(), turn % 2 == 0
                for port in ports:
                    while (b"src/fresh~" in get(f"http://127.0.0.1:{port}{address}")) is not wanted:
                        time.sleep(0.002)
                waits.append(time.perf_counter() - began)
        finally:
            stop.set()
            load_on.join()
        worst = max(waits)
        told = f"{statistics.median(waits) * 1000:.0f} ms (median), {worst * 1000:.0f} ms (worst of 10)"
        print(f"\nA release is on both processes after {told}")
        self.fine &= worst <= 1


def shown(rates: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:,.0f}" for name, value in rates.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--modules", type=int, nargs="*", default=[50, 2000])
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--imd", type=Path, help="A folder with node_modules/import-map-deployer.")
    options = parser.parse_args()
    if missing := [name for name in ("wrk", "nginx", "node", "npm") if not shutil.which(name)]:
        raise SystemExit(f"Not found: {', '.join(missing)}. On Debian: apt-get install wrk nginx-light nodejs npm")
    with tempfile.TemporaryDirectory(prefix="stagepass-maps-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        deployer_place = installed_deployer(options.imd, place / "imd")
        with a_database(fsync=True):
            from config.celery import app as celery

            celery.conf.broker_url = "memory://"  # nobody has to hear the doorbells here
            bench = Bench(World(), place, deployer_place, options)
            apps = {size: bench.world.application(size, 0) for size in options.modules}
            with our_server() as one, our_server() as two:
                print(
                    f"One process of each, {CONNECTIONS} connections, medians of {options.rounds} rounds that take turns"
                )
                for size, app in apps.items():
                    bench.reads(one, app, size)
                for size, app in apps.items():
                    bench.updates(one, app, size)
                smallest = apps[min(apps)]
                bench.lost([one, two], smallest)
                bench.freshness([one, two], smallest)
    return 0 if bench.fine else 1


if __name__ == "__main__":
    sys.exit(main())
