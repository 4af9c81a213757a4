"""The import maps' part of the story: a saved file is live for one ticket, is signed off, released, and taken back."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import httpx2

from core.story import Caller, Surprise, Voice, insist, wait_for

HERE = Path(__file__).parent
COMMAND = [sys.executable, str(HERE / "stamp")]
PERSON = ["-c", "user.name=Pierre Durand", "-c", "user.email=pierre.durand@cab-i.com", "-c", "commit.gpgsign=false"]
BANNER, FOOTER = "src/parts/banner.js", "src/parts/footer.js"
PATIENCE = 60


class Scene:
    """The running system, a developer's checkout of the shop, and two tickets of this run's own."""

    def __init__(self, voice: Voice, demo: dict[str, Any], folder: Path) -> None:
        self.voice = voice
        self.url = demo["url"]
        self.tokens = {role: account["token"] for role, account in demo["users"].items()}
        self.devops, self.cpi = (Caller(self.url, demo["users"][role]) for role in ("devops", "cpi"))
        self.folder = folder
        self.checkout = folder / "shop"
        self.run = random.randrange(100_000, 1_000_000)  # noqa: S311
        self.first, self.second = f"SHOP-{self.run}", f"SHOP-{self.run + 1}"
        self.application = "/v1/iep/applications/shop"

    def git(self, *words: str) -> None:
        done = subprocess.run(
            ["git", *PERSON, "-C", str(self.checkout), *words], capture_output=True, text=True, check=False
        )
        insist(done.returncode == 0, f"git {' '.join(words)}: {done.stderr}")

    def environment(self, who: str) -> dict[str, str]:
        known = {name: value for name, value in os.environ.items() if not name.startswith("STAMP_")}
        return known | {
            "STAMP_SERVER": self.url, "STAMP_TOKEN": self.tokens[who], "STAMP_HOME": str(self.folder / "home"),
        }  # fmt: skip

    def stamp(self, *words: str, who: str = "devops", expect: int = 0) -> dict[str, Any]:
        """What `stamp` answers to these words; Surprise for another exit code."""
        done = subprocess.run(
            [*COMMAND, *words, "--json"], cwd=self.checkout, env=self.environment(who), capture_output=True, text=True,
            check=False, timeout=PATIENCE,
        )  # fmt: skip
        insist(
            done.returncode == expect,
            f"stamp {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}",
        )
        return dict(json.loads(done.stdout))

    def edit(self, path: str, old: str, new: str) -> str:
        """Put one text in place of another; the digest of the file after that."""
        place = self.checkout / path
        text = place.read_text(encoding="utf-8")
        insist(old in text, f"{path} does not say “{old}”.")
        place.write_text(text.replace(old, new, 1), encoding="utf-8")
        return hashlib.sha256(place.read_bytes()).hexdigest()

    def page(self, **query: str) -> bytes:
        """The page as a visitor without an account gets it."""
        answer = httpx2.get(f"{self.url}/apps/shop/", params=query, timeout=15)
        insist(answer.status_code == 200, f"{answer.request.url} answered {answer.status_code}")
        return answer.content

    def map_of(self, ticket: str) -> str:
        """The import map that a ticket's preview gets."""
        found = self.devops.get("/iep/shop/resolve", dev=ticket)
        return httpx2.get(f"{self.url}{found['url']}", timeout=15).text

    def production(self) -> dict[str, str]:
        found = self.devops.get(f"{self.application}/modules")
        return {module["path"]: module["digest"] for module in found["modules"]}


class Watch:
    """`stamp TICKET --update`, running."""

    def __init__(self, scene: Scene, ticket: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, ticket, "--update", "--json"], cwd=scene.checkout, env=scene.environment("devops"),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.said: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.put(json.loads(line))

    def next(self, event: str) -> dict[str, Any]:
        while True:
            try:
                line = self.said.get(timeout=PATIENCE)
            except queue.Empty:
                raise Surprise(f"stamp said nothing of “{event}”.") from None
            insist(line.get("event") not in {"refused"} and line.get("ok", True), f"stamp says {line}")
            if line.get("event") == event:
                return line

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


def save_release_and_take_back(voice: Voice, demo: dict[str, Any]) -> None:
    """Two tickets on one application: previews while typing, QA, sign-off, production, and one of them back again."""
    with tempfile.TemporaryDirectory(prefix="stagepass-story-") as folder:
        scene = Scene(voice, demo, Path(folder))
        voice.chapter("From a saved file to production: import maps per ticket")
        check_out(scene)
        save(scene)
        to_qa(scene)
        to_production(scene)
        take_back(scene)


def check_out(scene: Scene) -> None:
    shutil.copytree(HERE / "demo" / "shop", scene.checkout)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "trunk", str(scene.folder / "shop.git")], check=True)
    scene.git("init", "-q", "-b", "trunk")
    scene.git("add", ".")
    scene.git("commit", "-qm", "The shop")
    scene.git("remote", "add", "origin", str(scene.folder / "shop.git"))
    scene.git("push", "-q", "origin", "trunk")
    scene.voice.step("The shop runs in production as ES modules", f"{scene.url}/apps/shop/")


def save(scene: Scene) -> None:
    """Watch, save, and see it for the ticket only."""
    plain = scene.page()
    watch = Watch(scene, scene.first)
    try:
        watch.next("begun")
        digest = scene.edit(BANNER, "Free delivery", f"Story {scene.run}: free delivery")
        stamped = watch.next("stamped")
    finally:
        watch.end()
    insist(stamped["paths"] == [BANNER], f"Only the banner was saved, but {stamped['paths']} were stamped.")
    insist(digest in scene.map_of(scene.first), "The ticket's map does not have the saved file.")
    scene.voice.step(
        f"{scene.devops.name} saves {BANNER}; {stamped['milliseconds']} ms later it is live for the ticket",
        f"{scene.url}/apps/shop/?dev={scene.first}",
    )
    insist(scene.page() == plain, "The plain page changed.")
    insist(scene.page(dev=scene.first) == plain, "A stranger sees something of the ticket.")
    scene.voice.step("The plain page stays byte for byte what it was, and so does the preview for strangers")


def to_qa(scene: Scene) -> None:
    told = scene.stamp(scene.first, "--promote", expect=6)
    scene.voice.step(f"Promoting is refused: {told['error']['message']}")
    scene.git("commit", "-qam", f"{scene.first} banner")
    scene.git("push", "-q", "origin", "trunk")
    stamp = scene.stamp(scene.first, "--promote")["stamp"]
    insist(stamp["stage"] == "qa", f"{scene.first} is in {stamp['stage']}")
    scene.voice.step(f"Committed and pushed, {scene.first} goes to QA", stamp["preview_url"])


def to_production(scene: Scene) -> None:
    """The first by a sign-off; the second, which knows nothing of it, as well."""
    release(scene, scene.first)
    scene.edit(FOOTER, "How it is made", "How all this is made")
    scene.stamp(scene.second, "--update", "--once")
    scene.git("commit", "-qam", f"{scene.second} footer")
    scene.git("push", "-q", "origin", "trunk")
    scene.stamp(scene.second, "--promote")
    release(scene, scene.second)


def release(scene: Scene, ticket: str) -> None:
    before = scene.production()
    asked = scene.stamp(ticket, "--promote")["stamp"]["sign_off"]
    insist(asked is not None, "Nobody was asked before production.")
    scene.voice.step(f"{ticket} asks for production as {asked['request']}", asked["url"])
    scene.stamp("approve", ticket, expect=3)
    scene.stamp("approve", ticket, "-m", "Seen in QA", who="cpi")
    wait_for(
        f"{ticket} in production",
        lambda: scene.stamp("status", ticket)["stamp"]["stage"] == "prod" or None, seconds=PATIENCE,
    )  # fmt: skip
    after = scene.production()
    changed = [path for path in after if after[path] != before.get(path)]
    insist(len(changed) == 1, f"{ticket} changed {changed} of production.")
    scene.voice.step(f"{scene.cpi.name} approves, and {changed[0]} of {ticket} is in production")


def take_back(scene: Scene) -> None:
    """The first ticket goes, the second stays; at the end production is what it was before the story."""
    before = scene.production()
    scene.stamp(scene.first, "--revert", who="cpi")
    after = scene.production()
    changed = [path for path in after if after[path] != before[path]]
    insist(changed == [BANNER], f"Reverting {scene.first} changed {changed}.")
    scene.voice.step(f"{scene.first} is taken back at once; {scene.second}, released in between, stays")
    scene.stamp(scene.second, "--revert", who="cpi")
    for ticket in (scene.first, scene.second):
        scene.stamp(ticket, "--close")
    scene.voice.step("Both tickets are closed, with all they had", f"{scene.url}/iep/shop/{scene.first}/")
