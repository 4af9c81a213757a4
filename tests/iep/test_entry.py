"""What browsers get: the production page for everyone, a ticket's only for whom it is."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client

from iep import maps
from iep.maps import address_of, integrity_of
from iep.previews import make_link
from iep.services import close_stamp, promote_stamp
from iep.services.change import load
from iep.services.upkeep import read_graph
from iep.serving.pages import entries_of
from iep.views import entry
from tests.iep.conftest import BASE, digest_of

pytestmark = pytest.mark.django_db
NEW = b'export const cart = "new";'


@pytest.fixture
def plain(shop):
    return Client().get("/apps/shop/")


@pytest.fixture
def stamp(save):
    return save("TKT-001", {"src/cart.js": NEW}).stamp


def map_in(response) -> dict:
    found = re.search(r'<script[^>]*type="importmap"[^>]*>(.*?)</script>', response.content.decode())
    assert found
    return json.loads(found[1])


def is_plain(response, plain) -> bool:
    """The production page, byte for byte, and no trace in the headers."""
    assert response.status_code == 200
    assert not response.cookies
    return response.content == plain.content and response["Cache-Control"] == plain["Cache-Control"]


def test_the_production_page_has_its_map_and_lets_in_its_own_scripts_only(plain):
    document = map_in(plain)
    main = address_of("shop", "src/main.js", digest_of(BASE["src/main.js"]))
    assert document["imports"]["@shop/main.js"] == document["imports"]["/iep/m/shop/src/main.js"] == main
    assert document["imports"]["dep"].startswith("/iep/m/shop/vendor/dep~")
    assert document["integrity"][main].startswith("sha256-")
    policy = plain["Content-Security-Policy"]
    assert policy.count("'sha256-") == 2
    assert "unsafe" not in policy
    assert plain["Integrity-Policy"] == "blocked-destinations=(script)"
    style = digest_of(BASE["src/app.css"])
    linked = f'href="{address_of("shop", "src/app.css", style)}" integrity="{integrity_of(style)}"'
    assert linked in plain.content.decode()
    assert Client().get("/apps/shop/", headers={"If-None-Match": plain["ETag"]}).status_code == 304
    assert Client().get("/apps/shop/products/7").content == plain.content, "deep addresses give the same page"


def test_what_a_page_loads_at_once_is_named_once_it_was_read(shop, plain, save, browse, devops):
    """A browser that knows the whole graph from the page needs no round trip for each level of it."""
    assert "modulepreload" not in plain.content.decode().replace(links(plain)[0], "")
    read_graph()
    entry._pages.clear()
    entry._early.clear()
    page = Client().get("/apps/shop/").content.decode()
    paths = re.findall(r'<link rel="modulepreload" href="/iep/m/shop/([^~]+)~', page)
    assert paths == ["src/main", "src/cart", "src/nav"]
    assert page.index('type="importmap"') < page.index("modulepreload"), "else some browsers take no map any more"
    save(
        "TKT-001",
        {"src/cart.js": b'import "./extra.js"; import("./late.js");', "src/extra.js": b"", "src/late.js": b""},
    )
    read_graph()
    shown = browse(devops).get("/apps/shop/?dev=TKT-001")
    found = links(shown)
    assert [re.sub("~.*", "", link.partition('href="')[2]) for link in found][-1] == "/iep/m/shop/src/extra"
    assert not any("late" in link for link in found), "what import() loads is not wanted at once"
    nonce = re.search(r"'nonce-([^']+)'", shown["Content-Security-Policy"])[1]
    assert all(f'nonce="{nonce}"' in link and "integrity=" in link for link in found)


def links(page) -> list[str]:
    return re.findall(r'<link rel="modulepreload"[^>]*>', page.content.decode())


def test_where_a_page_begins():
    page = """<script>import "no"</script><script type=module>import "@shop/a.js"; import {x} from './b.js'; import(c)</script>
    <script src="src/main.js?x" type="module"></script><script type="importmap">{"imports": {}}</script>"""
    assert entries_of(page) == ["@shop/a.js", "./b.js", "./src/main.js?x"]


def test_a_person_with_the_right_sees_the_ticket(stamp, plain, browse, devops):
    answer = browse(devops).get("/apps/shop/?dev=tkt-001")
    before, after = map_in(plain)["imports"], map_in(answer)["imports"]
    assert {key for key in after if before.get(key) != after[key]} == {
        "@shop/cart.js", "/iep/m/shop/src/cart.js",
    }, "everything else is at the address that browsers have already"  # fmt: skip
    assert answer["Cache-Control"] == "private, no-store"
    nonce = re.search(r"'nonce-([^']+)'", answer["Content-Security-Policy"])[1]
    text = answer.content.decode()
    assert text.count("<script") == text.count(f'<script nonce="{nonce}"') == 2
    assert "TKT-001" in text
    assert "src/cart.js" in text


def test_the_choice_is_carried_over_navigation_and_left(stamp, plain, browse, devops):
    """Fault 10 of the original: the choice was lost after a minute, and lazy imports fell back."""
    client = browse(devops)
    cookie = client.get("/apps/shop/?dev=TKT-001").cookies["iep-shop"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["max-age"] > 3600
    assert b"TKT-001" in client.get("/apps/shop/products/7").content
    assert client.get("/apps/shop/src/cart.js").content == NEW
    assert client.get("/apps/shop/?dev=").content == plain.content
    assert client.get("/apps/shop/").content == plain.content


def test_nobody_else_sees_anything(stamp, plain, browse, outsider, worker, viewer):
    for client in (Client(), browse(outsider)):
        assert is_plain(client.get("/apps/shop/?dev=TKT-001"), plain)
        assert client.get("/apps/shop/src/cart.js").content == BASE["src/cart.js"]
    assert b"TKT-001" in browse(viewer).get("/apps/shop/?dev=TKT-001").content


@pytest.mark.parametrize(
    "query", ["dev=TKT-999", "qa=TKT-001", "dev=TKT-001@9", "dev=<script>", "dev=TKT-001,TKT-999", "dev=%00"]
)
def test_what_is_not_there_is_the_plain_page(stamp, plain, browse, devops, query):
    """Fault 11 of the original: an unknown ticket was a server error."""
    assert is_plain(browse(devops).get(f"/apps/shop/?{query}"), plain)


def test_a_closed_ticket_and_a_left_stage_are_the_plain_page(stamp, plain, browse, devops):
    client = browse(devops)
    client.get("/apps/shop/?dev=TKT-001")
    promote_stamp(stamp=stamp, by=devops)
    assert client.get("/apps/shop/").content == plain.content, "the cookie was for dev"
    assert b"TKT-001" in client.get("/apps/shop/?qa=TKT-001").content
    close_stamp(stamp=load(stamp), by=devops)
    assert client.get("/apps/shop/?qa=TKT-001").content == plain.content


def test_a_cookie_is_its_persons_and_ends_with_the_right(stamp, plain, browse, devops, outsider):
    client, other = browse(devops), browse(outsider)
    other.cookies["iep-shop"] = client.get("/apps/shop/?dev=TKT-001").cookies["iep-shop"].value
    assert other.get("/apps/shop/").content == plain.content
    stranger = Client()
    stranger.cookies["iep-shop"] = "forged"
    assert stranger.get("/apps/shop/").content == plain.content
    devops.groups.clear()
    assert client.get("/apps/shop/").content == plain.content


def test_a_signed_link_opens_one_preview_without_an_account(stamp, save, plain, devops, settings):
    save("TKT-002", {"src/nav.js": b"nav 2"})
    url, _ = make_link(stamp=stamp, by=devops, hours=1)
    key = url.partition("&key=")[2]
    client = Client()
    assert b"TKT-001" in client.get(f"/apps/shop/?dev=TKT-001&key={key}").content
    assert b"TKT-001" in client.get("/apps/shop/deep").content, "the link's cookie carries on"
    for wrong in (f"dev=TKT-002&key={key}", f"dev=TKT-001&key={key}x", f"dev=TKT-001,TKT-002&key={key}"):
        assert is_plain(Client().get(f"/apps/shop/?{wrong}"), plain)


def test_a_link_ends(stamp, plain, devops):
    url, _ = make_link(stamp=stamp, by=devops, hours=-1)
    key = url.partition("&key=")[2]
    assert is_plain(Client().get(f"/apps/shop/?dev=TKT-001&key={key}"), plain)


def test_several_tickets_in_one_preview_show_their_conflicts(stamp, save, browse, devops):
    save("TKT-007", {"src/cart.js": b"other", "src/nav.js": b"nav 7"})
    answer = browse(devops).get("/apps/shop/?dev=TKT-001,TKT-007")
    imports = map_in(answer)["imports"]
    assert imports["@shop/cart.js"].endswith(f"~{digest_of(b'other')}.js"), "the last one named is shown"
    assert imports["@shop/nav.js"].endswith(f"~{digest_of(b'nav 7')}.js")
    assert b"TKT-001 and TKT-007 both change src/cart.js" in answer.content


def test_a_pinned_preview_is_what_was_tested(stamp, save, release, browse, devops):
    save("TKT-001", {"src/cart.js": b"second"})
    release("TKT-002", {"src/nav.js": b"nav 2"})
    client = browse(devops)
    pinned = map_in(client.get("/apps/shop/?dev=TKT-001@1"))["imports"]
    assert pinned["@shop/cart.js"].endswith(f"~{digest_of(NEW)}.js")
    assert pinned["@shop/nav.js"].endswith(f"~{digest_of(BASE['src/nav.js'])}.js"), "with the production of then"
    now = map_in(client.get("/apps/shop/?dev=TKT-001"))["imports"]
    assert now["@shop/nav.js"].endswith(f"~{digest_of(b'nav 2')}.js"), "an open ticket floats on production"


def test_removed_modules_are_blocked_in_the_preview(save, browse, devops):
    save("TKT-001", {"src/nav.js": None})
    client = browse(devops)
    imports = map_in(client.get("/apps/shop/?dev=TKT-001"))["imports"]
    assert imports["/iep/m/shop/src/nav.js"] is None
    assert "@shop/nav.js" not in imports
    assert client.get("/apps/shop/src/nav.js").status_code == 404


def test_nothing_in_a_map_ends_the_script_early(save, browse, devops):
    save(
        "TKT-001", {"importmap.json": json.dumps({"imports": {"</script><script>alert(1)": "./src/main.js"}}).encode()}
    )
    answer = browse(devops).get("/apps/shop/?dev=TKT-001")
    text = answer.content.decode()
    assert "</script><script>alert(1)" in map_in(answer)["imports"]
    assert text.count("<script") == text.count("</script") == 2, "the map and the page's own"
    assert "<" not in maps.script_of('{"imports": {"</script><script>alert(1)": null}}')


def test_a_preview_map_is_for_the_visitor_alone(stamp, browse, devops, plain):
    address = "/iep/shop/map.json?dev=TKT-001"
    own, other = browse(devops).get(address), Client().get(address)
    assert own["Cache-Control"] == other["Cache-Control"] == "private, no-store"
    assert own.json()["imports"]["@shop/cart.js"].endswith(f"~{digest_of(NEW)}.js")
    assert other.json() == map_in(plain)
    resolved = browse(devops).get("/iep/shop/resolve?dev=TKT-001").json()
    assert resolved["map"] == digest_of(own.content)


def test_a_file_is_its_type_and_nothing_else(shop):
    for path, kind in (("src/main.js", "text/javascript"), ("src/app.css", "text/css")):
        answer = Client().get(f"/apps/shop/{path}")
        assert answer["Content-Type"].startswith(kind)
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer["Content-Security-Policy"]
    for path in ("../../etc/passwd.js", "src/none.js", "page.html", "x.svg", "%2e%2e/main.js", ".git/x.js"):
        assert Client().get(f"/apps/shop/{path}").status_code in {400, 404}, path


def test_the_map_of_production_is_made_once_and_kept(shop, release):
    first = maps.production_map(shop)
    assert shop.releases.get(revision=1).map_digest == first.digest
    release("TKT-001", {"src/cart.js": NEW})
    assert maps.production_map(shop).digest != first.digest
    assert maps.ImportMap.objects.filter(pk=first.digest).exists()
