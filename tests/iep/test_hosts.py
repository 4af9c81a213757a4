"""Previews on hosts of their own: apart from the site, entered once from there, and nothing else is answered."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from iep.previews import make_link
from iep.services import promote_stamp
from iep.services.change import load
from iep.serving.hosts import PreviewHosts, address_of, label_in, label_of
from tests.iep.conftest import digest_of

pytestmark = pytest.mark.django_db
NEW = b'export const cart = "new";'
OWN = {"HTTP_HOST": "tkt-001.preview.example"}


@pytest.fixture(autouse=True)
def _apart(settings):
    settings.PREVIEW_HOST = "preview.example"
    settings.SITE_URL = "http://testserver"


@pytest.fixture
def stamp(save):
    return save("TKT-001", {"src/cart.js": NEW}).stamp


def enter(client: Client, address: str) -> tuple[Client, Any]:
    """Follow the site's redirect as a browser would, with the cookies of the preview's own host."""
    sent = client.get(address)
    assert sent.status_code == 302
    there = urlsplit(sent["Location"])
    guest = Client(HTTP_HOST=there.netloc)
    return guest, guest.get(f"{there.path}?{there.query}")


def test_the_site_sends_to_the_preview_and_never_shows_one(stamp, browse, devops):
    plain = Client().get("/apps/shop/")
    client = browse(devops)
    guest, entered = enter(client, "/apps/shop/basket?dev=TKT-001")
    assert not client.cookies.keys() & {"iep-shop"}
    assert (entered.status_code, entered["Location"]) == (302, "/apps/shop/basket")
    shown = guest.get("/apps/shop/basket")
    assert digest_of(NEW) in shown.content.decode()
    assert 'href="http://testserver/tickets/TKT-001/"' in shown.content.decode(), "verbs are the site's"
    assert shown["Cache-Control"] == "private, no-store"
    assert client.get("/apps/shop/").content == plain.content
    for address in ("/iep/shop/map.json?dev=TKT-001", "/iep/shop/resolve?dev=TKT-001"):
        assert digest_of(NEW) not in client.get(address).content.decode(), "not by the map either"
    assert client.get("/apps/shop/src/cart.js?dev=TKT-001").content != NEW


def test_strangers_get_production_and_no_hint(stamp, browse, outsider):
    plain = Client().get("/apps/shop/")
    for client in (Client(), browse(outsider)):
        for query in ("dev=TKT-001", "preview=TKT-001", "dev=TKT-999", "qa=TKT-001"):
            answer = client.get(f"/apps/shop/?{query}")
            assert (answer.status_code, answer.content) == (200, plain.content)
    for label in ("tkt-001", "tkt-999", "nonsense"):
        sent = Client(HTTP_HOST=f"{label}.preview.example").get("/apps/shop/")
        assert sent["Location"] == f"http://testserver/apps/shop/?preview={label.upper()}"


def test_whoever_comes_to_the_preview_first_goes_by_the_site(stamp, browse, devops):
    sent = Client(**OWN).get("/apps/shop/p/7")
    home = urlsplit(sent["Location"])
    guest, entered = enter(browse(devops), f"{home.path}?{home.query}")
    assert entered["Location"] == "/apps/shop/p/7"
    promote_stamp(stamp=stamp, by=devops)
    assert guest.get("/apps/shop/").status_code == 200, "the host is the ticket's, in whatever stage it is"


def test_an_entry_is_good_once_and_a_cookie_for_its_host_only(stamp, save, browse, devops):
    save("TKT-002", {"src/nav.js": b"nav 2"})
    sent = browse(devops).get("/apps/shop/?dev=TKT-001")
    there = urlsplit(sent["Location"])
    first, second = Client(HTTP_HOST=there.netloc), Client(HTTP_HOST=there.netloc)
    assert first.get(f"/apps/shop/?{there.query}").cookies["iep-shop"].value
    assert second.get(f"/apps/shop/?{there.query}")["Location"].startswith("http://testserver/")
    other = Client(HTTP_HOST="tkt-002.preview.example")
    other.cookies["iep-shop"] = first.cookies["iep-shop"].value
    assert other.get("/apps/shop/").status_code == 302
    devops.is_active = False
    devops.save()
    assert first.get("/apps/shop/").status_code == 302, "with the right the preview ends"


def test_leaving_and_other_tickets_lead_back_to_the_site(stamp, browse, devops):
    guest, _ = enter(browse(devops), "/apps/shop/?dev=TKT-001")
    sent = guest.get("/apps/shop/?dev=TKT-002")
    assert sent["Location"] == "http://testserver/apps/shop/?dev=TKT-002"
    left = guest.get("/apps/shop/?dev=")
    assert left["Location"] == "http://testserver/apps/shop/"
    assert left.cookies["iep-shop"]["max-age"] == 0


def test_a_link_needs_no_account_there_either(stamp, devops):
    address, _ = make_link(stamp=load(stamp), by=devops, hours=1)
    parts = urlsplit(address)
    guest, entered = enter(Client(), f"{parts.path}?{parts.query}")
    assert entered.status_code == 302
    assert digest_of(NEW) in guest.get("/apps/shop/").content.decode()


def test_names_of_hosts():
    assert label_of(["TKT-001", "MY_TEAM-7"]) == "tkt-001--my-team-7"
    assert len(label_of([f"LONGPROJECT-{number}" for number in range(8)])) <= 63
    assert address_of(["TKT-001"]) == "http://tkt-001.preview.example"
    assert label_in("TKT-001.Preview.Example:8080") == "tkt-001"
    for host in ("preview.example", "a.b.preview.example", "evilpreview.example", "testserver", ""):
        assert label_in(host) is None


@pytest.mark.parametrize(
    ("host", "method", "path", "answered"),
    [
        ("tkt-001.preview.example", "GET", "/apps/shop/x", True),
        ("tkt-001.preview.example:8080", "GET", "/iep/m/shop/src/a.js", True),
        ("tkt-001.preview.example", "POST", "/apps/shop/", False),
        ("tkt-001.preview.example", "GET", "/", False),
        ("tkt-001.preview.example", "GET", "/v1/iep/applications", False),
        ("tkt-001.preview.example", "GET", "/iep/shop/TKT-001/", False),
        ("tkt-001.preview.example", "GET", "/accounts/login/", False),
        ("preview.example", "GET", "/accounts/login/", False),
        ("testserver", "POST", "/accounts/login/", True),
    ],
)
def test_only_previews_are_on_their_hosts(host, method, path, answered):
    reached = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])

    async def send(message: Any) -> None:
        pass

    headers = [(b"host", host.encode())]
    asyncio.run(PreviewHosts(behind)({"type": "http", "method": method, "path": path, "headers": headers}, None, send))  # type: ignore[arg-type]
    assert bool(reached) == answered
