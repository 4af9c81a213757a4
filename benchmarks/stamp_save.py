"""From a saved file to the new map that a ticket's preview gets, with `stamp TICKET --update` watching as a process.

    python -m benchmarks.stamp_save [--rounds 30] [--state var] [--files 500]

Measured at the developer's machine: the file is renamed into place, then the ticket's map is asked for over one kept
connection until it has the file's digest. Without --state a whole system is started for it. Also told: how many requests
the first and the second stamp of a tree of --files files take.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.iep.stamp.running import Watching, command
from tests.stack.running import Up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--files", type=int, default=500)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="stagepass-benchmark-") as folder,
        system(given.state, Path(folder)) as demo,
    ):
        print_saves(demo, Path(folder) / "saves", given.rounds)
        print_tree(demo, Path(folder) / "tree", given.files)


@contextmanager
def system(state: Path | None, folder: Path) -> Iterator[dict[str, Any]]:
    """What var/demo.json tells of a running system."""
    if state is not None:
        yield json.loads((state / "demo.json").read_text())
        return
    up = Up(folder / "var")
    up.start()
    try:
        yield json.loads((up.state / "demo.json").read_text())
    finally:
        up.stop()


def environment(demo: dict[str, Any], folder: Path) -> dict[str, str]:
    (folder / "src").mkdir(parents=True)
    (folder / ".stamp.toml").write_text('application = "shop"\n')
    token = demo["users"]["devops"]["token"]
    return os.environ | {"STAMP_SERVER": demo["url"], "STAMP_TOKEN": token, "STAMP_HOME": str(folder / "home")}


def ticket(number: int) -> str:
    return f"BENCH-{number}{int(time.time()) % 10_000_000}"


def print_saves(demo: dict[str, Any], folder: Path, rounds: int) -> None:
    env = environment(demo, folder)
    key = ticket(1)
    place = folder / "src" / "saved.js"
    place.write_text("export const round = 0;\n")
    watch = Watching(key, "--update", cwd=folder, env=env)
    try:
        watch.next("begun")
        with httpx2.Client(base_url=demo["url"], headers={"Authorization": f"Bearer {env['STAMP_TOKEN']}"}) as browser:
            one_save(browser, key, place, -1)
            times = sorted(one_save(browser, key, place, number) for number in range(rounds))
    finally:
        watch.end()
    median, p95 = statistics.median(times), times[int(len(times) * 0.95) - 1]
    print(f"save to served map: median {median:.0f} ms, p95 {p95:.0f} ms of {rounds}")


def one_save(browser: httpx2.Client, key: str, place: Path, number: int) -> float:
    """Milliseconds from a save to a map with it."""
    body = f"export const round = {number};\n".encode()
    fresh = place.with_suffix(".tmp")
    fresh.write_bytes(body)
    began = time.perf_counter()
    fresh.replace(place)
    digest = hashlib.sha256(body).hexdigest()
    while digest not in browser.get("/iep/shop/map.json", params={"dev": key}).text:
        assert time.perf_counter() - began < 30, "it did not arrive"
        time.sleep(0.005)  # the asking must not hold up the stamp
    return (time.perf_counter() - began) * 1000


def print_tree(demo: dict[str, Any], folder: Path, files: int) -> None:
    env = environment(demo, folder)
    key = ticket(2)
    for number in range(files):
        (folder / "src" / f"module{number}.js").write_text(f"export const value = {number};\n" * 40 + f"// {key}\n")
    for turn in ("first", "second"):
        began = time.perf_counter()
        done = subprocess.run(
            command("update", key, "--once", "-v"), cwd=folder, env=env, capture_output=True, text=True, check=True
        )
        seconds = time.perf_counter() - began
        requests = sum("→" in line for line in done.stderr.splitlines())
        print(f"{turn} stamp of {files} files: {requests} requests, {seconds:.1f} s")


if __name__ == "__main__":
    main()
