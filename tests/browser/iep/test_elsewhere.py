"""Pages of other sites, previews on hosts of their own, and what browsers hold both to."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from iep.models import Application
from tests.browser.iep.conftest import BANNER, OLD, Developer, banner
from tests.events.live.conftest import free_port, run_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


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
