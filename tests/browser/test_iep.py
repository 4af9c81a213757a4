"""Import maps in Chromium: a saved file for those of the ticket, production for everyone else, and the way there and back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.core.files.storage import storages
from playwright.sync_api import Page, expect

from accounts.roles import Role
from accounts.services import issue_token
from iep.demo import HERE, sources
from iep.models import Application, Stamp
from iep.services import (
    ensure_application,
    promote_stamp,
    publish_files,
    stamp_ticket,
    store_blob,
    ticket_for,
)
from iep.services.judgements import keep_judgement
from iep.types import File, Manifest, Outcome, Verdict
from tests.browser.conftest import NARROW, WIDE, overflow
from tests.browser.test_every_page import violations
from tests.events.live.conftest import free_port, run_server
from tests.iep.stamp.bare import make_bare
from tests.iep.stamp.running import PATIENCE, Watching, command, git, make_clone
from tickets.services import create_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SCOPES = ["iep:read", "iep:write", "iep:release", "tickets:read", "requests:decide"]
BANNER, ABOUT, STYLES = "src/parts/banner.js", "src/pages/about.js", "src/styles/shop.css"
OLD = "Free delivery from €60"


@pytest.fixture
def blobs(settings, tmp_path) -> Iterator[Path]:
    """The files of applications, for this process and the server's."""
    folder = tmp_path / "blobs"
    backend = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(folder)}}
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


def test_from_a_saved_file_to_production_and_back(server, developer, plain, window, devops, picture):
    before = plain().content
    page, stranger = window(devops, url=server), window(url=server)
    watch = developer.watch("TKT-001")
    try:
        watch.next("begun")
        developer.edit(BANNER, OLD, "Delivered free from €60")
        watch.until(BANNER)
    finally:
        watch.end()
    page.goto("/apps/shop/?dev=TKT-001")
    expect(banner(page)).to_have_text(re.compile("Delivered free"))
    expect(preview(page)).to_contain_text("TKT-001")
    picture(page, "shop-preview")
    assert plain().content == before
    stranger.goto("/apps/shop/?dev=TKT-001")
    expect(banner(stranger)).to_contain_text(OLD)

    page.goto("/apps/shop/#/p/tarn")  # the ticket is carried over navigation
    expect(banner(page)).to_contain_text("Delivered free")
    page.get_by_role("link", name="Leave").click()
    expect(banner(page)).to_contain_text(OLD)
    expect(preview(page)).to_have_count(0)
    page.goto("/apps/shop/")
    expect(banner(page)).to_contain_text(OLD)

    developer.commit()
    assert developer.stamp("TKT-001", "--promote")["stamp"]["stage"] == "qa"
    page.goto("/apps/shop/?dev=TKT-001")
    expect(preview(page)).to_have_count(0)
    page.goto("/apps/shop/?qa=TKT-001")
    expect(banner(page)).to_contain_text("Delivered free")
    assert plain().content == before

    # Another ticket, begun before this one is released, goes to production after it.
    developer.edit(ABOUT, "How it is made", "Made like this")
    developer.stamp("update", "TKT-002", ABOUT)
    developer.commit()
    developer.stamp("TKT-001", "--promote", "--qa")
    stranger.goto("/apps/shop/")
    expect(banner(stranger)).to_contain_text("Delivered free")
    developer.stamp("TKT-002", "--promote")
    developer.stamp("TKT-002", "--promote")
    developer.stamp("TKT-001", "--revert")
    stranger.goto("/apps/shop/#/about")
    stranger.reload()
    expect(banner(stranger)).to_contain_text(OLD)
    expect(stranger.locator("h1")).to_have_text("Made like this")


def test_two_tickets_in_two_windows_and_both_in_one(server, developer, window, devops, cpi):
    """A style and a module that is loaded late, each for its own ticket."""
    developer.change("TKT-001", STYLES, "--brand: light-dark(#22604a", "--brand: light-dark(#7a3b12")
    developer.change("TKT-002", ABOUT, "How it is made", "Made like this")
    first, second, both = window(devops, url=server), window(cpi, url=server), window(devops, url=server)
    brown, green = "rgb(122, 59, 18)", "rgb(34, 96, 74)"
    for page, tickets, colour, words in (
        (first, "TKT-001", brown, "How it is made"),
        (second, "TKT-002", green, "Made like this"),
        (both, "TKT-001,TKT-002", brown, "Made like this"),
    ):
        page.goto(f"/apps/shop/?dev={tickets}#/about")
        expect(page.locator("h1")).to_have_text(words)
        expect(banner(page)).to_have_css("background-color", colour)


def test_modules_that_the_ticket_does_not_change_come_from_the_cache(server, developer, window, devops):
    developer.change("TKT-001", BANNER, OLD, "Delivered free from €60")
    page = window(devops, url=server)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    seen: dict[str, str] = {}
    cached: set[str] = set()
    network.on("Network.requestWillBeSent", lambda said: seen.update({said["requestId"]: said["request"]["url"]}))
    network.on("Network.requestServedFromCache", lambda said: cached.add(said["requestId"]))
    network.on(
        "Network.responseReceived",
        lambda said: cached.add(said["requestId"]) if said["response"].get("fromDiskCache") else None,
    )
    page.goto("/apps/shop/")
    expect(banner(page)).to_contain_text(OLD)
    first = {url for url in seen.values() if "/iep/m/" in url}
    assert len(first) > 10
    seen.clear()
    cached.clear()
    page.goto("/apps/shop/?dev=TKT-001")
    expect(banner(page)).to_contain_text("Delivered free")
    fetched = {url for request, url in seen.items() if "/iep/m/" in url and request not in cached}
    assert [url for url in fetched if "banner" in url] == list(fetched)
    assert len(fetched) == 1


def test_a_file_that_is_not_what_was_stamped_does_not_run(server, developer, window, devops, blobs, silent):
    silent.append(r"integrity|Integrity|digest|Failed to fetch dynamically|blocked")
    developer.change("TKT-001", ABOUT, "How it is made", "Made like this")
    stamped = developer.stamp("status", "TKT-001")["stamp"]["changes"][0]["digest"]
    place = next(path for path in blobs.rglob(stamped))
    place.chmod(0o644)
    place.write_text(place.read_text().replace("Made like this", "Made by somebody else"))
    page = window(devops, url=server)
    page.goto("/apps/shop/?dev=TKT-001#/about")
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    expect(page.locator("body")).not_to_contain_text("Made by somebody else")
    # And a script that nobody vouched for is not even started, although it is of this host.
    page.goto("/apps/shop/?dev=TKT-001")
    expect(banner(page)).to_contain_text(OLD)
    assert page.evaluate("import('/iep/shop/map.js').then(() => 'ran', () => 'refused')") == "refused"


def test_who_may_not_see_it_gets_production_byte_for_byte(server, developer, plain, window, outsider, silent):
    developer.change("TKT-001", BANNER, OLD, "Delivered free from €60")
    before = plain()
    for query in ({"dev": "TKT-001"}, {"dev": "TKT-999"}, {"qa": "TKT-001"}, {"dev": "'\"<x>"}, {"dev": "TKT-001@99"}):
        answer = plain(**query)
        assert answer.content == before.content, query
        assert "set-cookie" not in answer.headers
        assert answer.headers.get("cache-control") == before.headers.get("cache-control")
    page = window(outsider, url=server)
    page.goto("/apps/shop/?dev=TKT-001")
    expect(banner(page)).to_contain_text(OLD)
    expect(preview(page)).to_have_count(0)
    link = developer.stamp("open", "TKT-001", "--share", "1")["url"]
    guest = window(url=server)
    guest.goto(f"{server}/apps/shop/?{link.partition('?')[2]}")
    expect(banner(guest)).to_contain_text("Delivered free")
    guest.goto("/apps/shop/?dev=TKT-001&key=forged")
    expect(banner(guest)).to_contain_text(OLD)


def test_stamp_from_a_bare_environment_logs_in_by_the_browser_and_watches(
    server, developer, window, devops, plain, tmp_path, silent
):
    silent.append(r"Ignored an import map value .*about.js")  # a removed module is null in the map: it must not load
    bare = make_bare(tmp_path / "bare")
    developer.program = [str(bare / "stamp")]
    home = developer.folder / "home"
    developer.environment = {
        "PATH": f"{bare}:{os.environ['PATH']}", "HOME": str(tmp_path), "STAMP_SERVER": server, "STAMP_HOME": str(home),
    }  # fmt: skip
    login = subprocess.Popen(
        [*developer.program, "login", "--no-browser"], env=developer.environment, text=True, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, cwd=developer.checkout,
    )  # fmt: skip
    try:
        page = window(devops, url=server)
        page.goto(f"{server}/iep/login/?{login.stderr.readline().partition('?')[2].strip()}")
        page.get_by_role("button", name="Allow").click()
        assert login.wait(PATIENCE) == 0
    finally:
        login.kill()
    assert stat.S_IMODE((home / "credentials.json").stat().st_mode) == 0o600

    before = plain().content
    watch = developer.watch("TKT-001")
    try:
        watch.next("begun")
        (developer.checkout / "src" / "parts" / "extra.js").write_text('export const WORDS = "Added while watching";\n')
        watch.until("src/parts/extra.js")
        developer.edit(BANNER, "export const WORDS =", 'export { WORDS } from "./extra.js";\nconst OLD =')
        developer.edit(BANNER, "${WORDS}", "${document.title}")
        watch.until(BANNER)
        (developer.checkout / ABOUT).unlink()
        watch.until(ABOUT)
    finally:
        watch.end()
    changes = {each["path"]: each["change"] for each in developer.stamp("status", "TKT-001")["stamp"]["changes"]}
    assert changes == {BANNER: "modified", "src/parts/extra.js": "added", ABOUT: "removed"}
    page.goto("/apps/shop/?dev=TKT-001")
    expect(banner(page)).to_contain_text("Fernweh")
    assert plain().content == before


@contextlib.contextmanager
def other_site(html: str) -> Iterator[str]:
    """A page on a server that is not ours."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html.encode() if self.path == "/" else b"")

        def log_message(self, *args: Any) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{site.server_port}"
    finally:
        site.shutdown()
        site.server_close()


def test_one_tag_brings_the_map_into_a_page_of_another_site(server, shop, window, silent):
    silent.append(r"CORS|ERR_FAILED|404")
    page = f'''<!doctype html><title>Elsewhere</title><script src="{server}/iep/shop/map.js"></script>
    <div id="shop"></div><script type="module">import "@shop/main.js";</script>'''
    with other_site(page) as elsewhere:
        visitor = window(url=elsewhere)
        visitor.goto("/")
        expect(visitor.locator("#shop")).to_be_empty()
        Application.objects.filter(pk=shop.pk).update(allowed_origins=[elsewhere])
        for _ in range(40):  # the server remembers for some seconds what it read
            visitor.goto("/")
            if visitor.locator("#shop:not(:empty)").count():
                break
            visitor.wait_for_timeout(250)
        expect(banner(visitor)).to_contain_text(OLD)


def test_integrity_policy_holds_on_production_too(server, window, silent):
    """Its scripts are let in by their host; one without integrity is refused all the same."""
    silent.append(r"[Ii]ntegrity")
    page = window(url=server)
    page.goto("/apps/shop/")
    expect(banner(page)).to_contain_text(OLD)
    assert page.evaluate("import('/iep/shop/map.js').then(() => 'ran', () => 'refused')") == "refused"
    early = page.locator("link[rel=modulepreload]")
    assert early.count() >= 1
    assert all(early.nth(number).get_attribute("integrity") for number in range(early.count()))


def test_a_preview_on_its_own_host(shop, blobs, tmp_path, make_user, tenant, window, devops):
    """It has cookies and storage of its own, and the site never shows it."""
    port = free_port()
    place = {"BLOBS_OPTIONS": json.dumps({"location": str(blobs)}), "STAGEPASS_STATE": str(tmp_path / "state")}
    place |= {"IEP_PREVIEW_HOST": "preview.localhost", "STAGEPASS_URL": f"http://localhost:{port}"}
    with run_server(port=port, DJANGO_SETTINGS_MODULE="config.settings.demo", **place):
        site = f"http://localhost:{port}"
        developer = Developer(site, make_user("front_end", tenant, Role.CPI), tmp_path / "developer")
        developer.change("TKT-001", BANNER, OLD, "Delivered free from €60")
        page, stranger = window(devops, url=site), window(url=site)
        page.goto("/apps/shop/")
        page.evaluate("localStorage.setItem('basket', 'full')")
        page.goto("/apps/shop/?dev=TKT-001#/about")
        assert page.url == f"http://tkt-001.preview.localhost:{port}/apps/shop/#/about"
        expect(banner(page)).to_contain_text("Delivered free")
        assert page.evaluate("localStorage.getItem('basket')") is None
        assert {cookie["domain"] for cookie in page.context.cookies() if cookie["name"].endswith("iep-shop")} == {
            "tkt-001.preview.localhost"
        }
        assert page.evaluate("fetch('/v1/iep/applications').then(answer => answer.status)") == 404
        page.get_by_role("link", name="Leave").click()
        expect(banner(page)).to_contain_text(OLD)
        assert page.url.startswith(f"{site}/apps/shop/")
        for address in ("/apps/shop/?dev=TKT-001", f"http://tkt-001.preview.localhost:{port}/apps/shop/"):
            stranger.goto(address)
            expect(banner(stranger)).to_contain_text(OLD)
            assert stranger.url.startswith(f"{site}/apps/shop/")


def test_the_pages_of_import_maps_are_accessible_and_fit(shop, window, picture, devops, cpi):
    """Every kind of page: the list, an application, tickets in each stage with every kind of change, the dialogs."""
    changes = {BANNER: b"export const WORDS = 1;\n" + b"long " * 80, ABOUT: None, "src/lib/new.js": b"export {};\n"}
    stamped(shop, devops, "TKT-001", changes)
    stamped(shop, devops, "TKT-002", {BANNER: b"export const WORDS = 2;\n", "src/lib/money.js": b"\x00"})
    in_qa = stamped(shop, devops, "TKT-003", {STYLES: b"body { margin: 0 }\n"})
    keep_judgement(in_qa, "qa", devops, [Verdict("style", outcome, "Three long lines.") for outcome in Outcome])
    promote_stamp(stamp=in_qa, by=devops)
    released = promote_stamp(stamp=stamped(shop, devops, "TKT-004", {"src/app.js": b"// none\n"}), by=devops).stamp
    promote_stamp(stamp=released, by=cpi)
    stamped(shop, devops, "TKT-005", {})
    addresses = ["/iep/", "/iep/shop/", *(f"/iep/shop/TKT-00{number}/" for number in range(1, 6))]
    addresses += [f"/iep/shop/TKT-003/{verb}/" for verb in ("promote", "revert", "close")]
    addresses += ["/iep/shop/TKT-002/share/", "/iep/login/?code=WDJB-MJHT"]
    for width, theme in ((WIDE, "light"), (NARROW, "dark")):
        page = window(devops, width=width, theme=theme)
        for number, address in enumerate(addresses):
            page.goto(address)
            assert violations(page) == [], address
            assert overflow(page) == 0, f"{address} at {width}"
            if number in {1, 2, 4}:
                picture(page, f"iep-{number}-{width}-{theme}")


def stamped(shop: Application, by: Any, key: str, files: dict[str, bytes | None]) -> Stamp:
    present = {path: content for path, content in files.items() if content is not None}
    listed = [File(path, hashlib.sha256(content).hexdigest(), len(content)) for path, content in present.items()]
    for file in listed:
        store_blob(application=shop, digest=file.digest, chunks=[present[file.path]], by=by)
    manifest = Manifest(files=tuple(listed), removed=tuple(files.keys() - present.keys()))
    return stamp_ticket(
        application=shop, ticket=ticket_for(application=shop, key=key, by=by), manifest=manifest, by=by
    ).stamp


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_shop_on_a_small_screen_and_in_the_dark(server, window, picture, theme):
    page = window(url=server, width=NARROW, theme=theme)
    page.goto("/apps/shop/")
    expect(page.get_by_role("listitem")).to_have_count(8)
    assert overflow(page) == 0
    page.get_by_role("link", name="Tarn tent").click()
    page.get_by_role("button", name="Put into the basket").click()
    page.get_by_role("link", name="Basket, 1 thing").click()
    expect(page.locator("#total")).to_have_text("€329.00")
    assert overflow(page) == 0
    picture(page, f"shop-basket-{theme}")
