"""A saved file for those of the ticket, production for everyone else, and the way there and back."""

from __future__ import annotations

import os
import re
import stat
import subprocess

import pytest
from playwright.sync_api import expect

from tests.browser.iep.conftest import ABOUT, BANNER, OLD, STYLES, banner, preview
from tests.iep.stamp.bare import make_bare
from tests.iep.stamp.running import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


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
