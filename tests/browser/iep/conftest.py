"""A shop of ES modules, its server, and somebody with a checkout of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.core.files.storage import storages
from playwright.sync_api import Page

from accounts.roles import Role
from accounts.services import issue_token
from iep.demo import HERE, sources
from iep.models import Application
from iep.services import (
    ensure_application,
    publish_files,
)
from tests.events.live.conftest import run_server
from tests.iep.stamp.running import PATIENCE, Watching, command, git, make_clone
from tickets.services import create_project

SCOPES = ["iep:read", "iep:write", "iep:release", "tickets:read", "requests:decide"]
BANNER, ABOUT, STYLES = "src/parts/banner.js", "src/pages/about.js", "src/styles/shop.css"
OLD = "Free delivery from €60"


@pytest.fixture
def blobs(settings, tmp_path) -> Iterator[Path]:
    """The files of applications, for this process and the server's."""
    folder = tmp_path / "blobs"
    backend = {"BACKEND": "iep.storage.BlobFolder", "OPTIONS": {"location": str(folder)}}
    settings.STORAGES = settings.STORAGES | {"blobs": backend}
    storages._storages.clear()
    yield folder
    storages._storages.clear()


@pytest.fixture
def shop(transactional_db, blobs, tenant, cpi, devops) -> Application:
    """The demo's shop in production, released without a sign-off."""
    project = create_project(key="team/shop", tenant=tenant, by=devops, prefix="TKT")
    page = (HERE / "shop.html").read_text()
    application = ensure_application(
        tenant=tenant, slug="shop", name="Shop", project=project, page=page, sign_off=False, by=cpi
    )
    publish_files(application=application, files=sources(), by=cpi, reason="Begin")
    return application


@pytest.fixture
def server(shop, blobs, tmp_path) -> Iterator[str]:
    place = {"BLOBS_OPTIONS": json.dumps({"location": str(blobs)}), "STAGEPASS_STATE": str(tmp_path / "state")}
    with run_server(DJANGO_SETTINGS_MODULE="config.settings.demo", **place) as running:
        yield f"http://{running.host}"


class Developer:
    """Somebody with a checkout of the shop, and `stamp`."""

    program: Sequence[str] = command()

    def __init__(self, server: str, user: Any, folder: Path) -> None:
        self.folder, self.checkout = folder, folder / "shop"
        shutil.copytree(HERE / "shop", self.checkout)
        make_clone(self.checkout, folder / "shop.git")
        _, token = issue_token(user=user, name="stamp", scopes=SCOPES)
        self.environment = os.environ | {
            "STAMP_SERVER": server, "STAMP_TOKEN": token, "STAMP_HOME": str(folder / "home"),
        }  # fmt: skip

    def edit(self, path: str, old: str, new: str) -> None:
        place = self.checkout / path
        text = place.read_text()
        assert old in text
        place.write_text(text.replace(old, new))

    def commit(self) -> None:
        git(self.checkout, "commit", "-qam", "Change")
        git(self.checkout, "push", "-q", "origin", "trunk")

    def stamp(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [*self.program, *words, "--json"], cwd=self.checkout, env=self.environment, capture_output=True, text=True,
            check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def watch(self, ticket: str) -> Watching:
        return Watching(ticket, "--update", cwd=self.checkout, env=self.environment, program=self.program)

    def change(self, ticket: str, path: str, old: str, new: str) -> None:
        """Edit, stamp, and put the file back, as if each ticket had a branch of its own."""
        self.edit(path, old, new)
        self.stamp("update", ticket, path)
        git(self.checkout, "checkout", "-q", "--", path)


@pytest.fixture
def developer(server, make_user, tenant, tmp_path) -> Developer:
    """May stamp and release."""
    user = make_user("front_end", tenant, Role.CPI)
    return Developer(server, user, tmp_path / "developer")


@pytest.fixture
def plain(server) -> Callable[..., httpx2.Response]:
    """The page as a stranger gets it."""

    def get(**query: str) -> httpx2.Response:
        return httpx2.get(f"{server}/apps/shop/", params=query)

    return get


def banner(page: Page) -> Any:
    return page.locator("#banner")


def preview(page: Page) -> Any:
    return page.get_by_role("complementary", name="Preview")
